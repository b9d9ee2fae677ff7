/** Redis may go away at any moment; what must hold is how fast that is noticed, and that it comes back. */
import { randomUUID } from 'node:crypto'
import { afterEach, expect, inject, test } from 'vitest'
import { createLog } from './log.ts'
import { connectRedis, redisUp } from './redis.ts'
import { eventually } from './testing/eventually.ts'
import { startTcpProxy } from './testing/tcp-proxy.ts'

const cleanups: (() => unknown)[] = []
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).toReversed()) await cleanup()
})

async function start() {
  const address = new URL(inject('redisUrl'))
  const proxy = await startTcpProxy(address.hostname, Number(address.port || 6379))
  address.hostname = '127.0.0.1'
  address.port = String(proxy.port)
  const lines: string[] = []
  const destination = { write: (line: string) => lines.push(line) }
  const log = createLog({ name: 'test', level: 'info', destination })
  const redis = await connectRedis(address.href, { log, keyPrefix: `test:${randomUUID()}:` })
  cleanups.push(proxy.close, () => redis.disconnect())
  const said = (): unknown[] => lines.map((line) => (JSON.parse(line) as { msg: string }).msg)
  return { proxy, redis, said }
}

async function failureOf(work: Promise<unknown>): Promise<{ ms: number }> {
  const startedAt = performance.now()
  await expect(work).rejects.toThrow()
  return { ms: performance.now() - startedAt }
}

test('away: commands fail at once and once is said so; back: it works again by itself', async () => {
  const { proxy, redis, said } = await start()
  await eventually(() => redisUp(redis))
  await redis.set('a', '1', 'EX', 60)
  await proxy.refuse()
  await eventually(() => !redisUp(redis))
  expect((await failureOf(redis.get('a'))).ms).toBeLessThan(50)
  // Several attempts to reconnect later it has still been said once.
  let attempts = 0
  redis.on('reconnecting', () => (attempts += 1))
  await eventually(() => attempts >= 3)
  expect(said()).toEqual(['Redis is connected', 'Redis is away: going on without it'])
  await proxy.listen()
  await eventually(() => redisUp(redis))
  expect(await redis.get('a')).toBe('1')
  expect(said().slice(2)).toEqual(['Redis is back'])
})

test('silent: a command gives up after its limit', async () => {
  const { proxy, redis } = await start()
  await eventually(() => redisUp(redis))
  proxy.freeze()
  const { ms } = await failureOf(redis.get('a'))
  expect(ms).toBeGreaterThanOrEqual(150)
  expect(ms).toBeLessThan(1_000)
  proxy.thaw()
  await eventually(() => redis.ping())
})

test('never there: connecting neither throws nor blocks, and the process is told once', async () => {
  const { proxy, redis, said } = await start()
  await proxy.refuse()
  await failureOf(redis.get('a'))
  await eventually(() => said().length > 0)
  expect(redisUp(redis)).toBe(false)
})
