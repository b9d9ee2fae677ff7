import { connect } from 'amqplib'
import { Redis } from 'ioredis'
import { afterAll, beforeAll, describe, expect, inject, test, vi } from 'vitest'
import { connectPostgres } from '../postgres/postgres.ts'
import { isRunning } from '../process/process-end.ts'
import { type BackingServices, startBackingServices } from './backing-services.ts'
import { eventually } from './eventually.ts'

const quiet = { info: () => undefined, warn: () => undefined }

/** Connects to all three and asks each something. */
async function use({ databaseUrl, amqpUrl, redisUrl }: BackingServices): Promise<string[]> {
  const sql = connectPostgres(databaseUrl, { max: 1, applicationName: 'test' })
  const amqp = await connect(amqpUrl)
  const redis = new Redis(redisUrl)
  const channel = await amqp.createChannel()
  const { queue } = await channel.assertQueue('', { exclusive: true })
  const answers = [JSON.stringify(await sql`SELECT 1 AS one`), queue, await redis.ping()]
  await Promise.all([sql.end(), amqp.close(), redis.quit()])
  return answers
}

const allAnswers = ['[{"one":1}]', expect.stringMatching(/^amq\.gen/), 'PONG']

describe('services of our own', () => {
  let services: BackingServices

  beforeAll(async () => {
    services = await startBackingServices({ log: quiet })
  })

  afterAll(async () => {
    await services.stop()
  })

  test('all answer', async () => {
    expect(await use(services)).toEqual(allAnswers)
  })

  test.each(['postgres', 'rabbitmq', 'redis'] as const)(
    '%s can be killed, and started again at its address',
    async (name) => {
      const service = services[name]
      // One that the environment names is not ours to kill.
      expect(service === undefined).toBe(services.source === 'environment')
      const pid = service?.pid ?? 0
      await service?.kill9()
      expect(service !== undefined && isRunning(pid)).toBe(false)
      await service?.start()
      expect(await use(services)).toEqual(allAnswers)
    },
  )

  test('stop leaves none of them', async () => {
    const pids = [services.postgres, services.rabbitmq, services.redis].flatMap(
      (service) => service?.pid ?? [],
    )
    await services.stop()
    await eventually(() => expect(pids.filter(isRunning)).toEqual([]))
  })
})

test('services that the environment names are used as they are', async () => {
  vi.stubEnv('TEST_DATABASE_URL', inject('databaseUrl'))
  vi.stubEnv('TEST_AMQP_URL', inject('amqpUrl'))
  vi.stubEnv('TEST_REDIS_URL', inject('redisUrl'))
  const services = await startBackingServices({ log: quiet })
  expect(services).toMatchObject({ source: 'environment', databaseUrl: inject('databaseUrl') })
  await services.stop()
  expect(await use(services)).toEqual(allAnswers)
  vi.unstubAllEnvs()
})
