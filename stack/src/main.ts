/** `make up`: the stack until Ctrl-C. */
import { parseArgs } from 'node:util'
import { messageOf } from '@bidmesh/platform/errors.ts'
import { progressOnStderr } from '@bidmesh/platform/progress-log.ts'
import { type Stack, startStack } from './start-stack.ts'

const HELP = `Runs every Bidmesh service as a process of its own on real Postgres, RabbitMQ and Redis.

  make up                 Ctrl-C stops all of it and leaves nothing behind
  PORT=9000 make up       another port than 8080 for the first bid process

Postgres, RabbitMQ and Redis: those named by TEST_DATABASE_URL, TEST_AMQP_URL and TEST_REDIS_URL; else
containers when a Docker engine answers; else private instances of this machine's own programs.
`

const { values } = parseArgs({ options: { help: { type: 'boolean', short: 'h' } } })
if (values.help) process.stdout.write(HELP)
else await main()

async function main(): Promise<void> {
  const log = progressOnStderr('stack:')
  const stopped = Promise.withResolvers<void>()
  let asked = false
  const onSignal = () => {
    // The second one: whoever cannot wait. The services notice that we are gone and stop by themselves.
    if (asked) process.exit(130)
    asked = true
    log.info({}, 'stopping (again to force)')
    stopped.resolve()
  }
  process.on('SIGINT', onSignal)
  process.on('SIGTERM', onSignal)
  let code = 0
  try {
    const stack = await startStack({ log, port: Number(process.env['PORT'] ?? 8_080) })
    if (!asked) process.stdout.write(addresses(stack))
    await stopped.promise
    await stack.stop()
    log.info({}, 'all stopped')
  } catch (error) {
    log.warn({}, messageOf(error))
    code = 1
  }
  process.exit(code)
}

function addresses(stack: Stack): string {
  const rows = [...stack.bids, ...stack.stats, ...stack.relays, ...stack.auctioneers].map(
    ({ name, url }) => `  ${name.padEnd(14)} ${url}`,
  )
  const endAt = new Date(Date.now() + 86_400_000).toISOString()
  const item = JSON.stringify({
    title: 'Lamp',
    start_price: '1000',
    end_at: endAt,
    seller_id: 'bob',
  })
  const url = stack.bids[0]?.url ?? ''
  return [
    '',
    '  Bidmesh is up',
    '',
    ...rows,
    `  ${'postgres'.padEnd(14)} ${stack.bidUrl}`,
    `  ${''.padEnd(14)} ${stack.statsUrl}`,
    `  ${'rabbitmq'.padEnd(14)} ${stack.services.amqpUrl}`,
    `  ${'redis'.padEnd(14)} ${stack.services.redisUrl}`,
    `  ${'logs'.padEnd(14)} ${stack.logDirectory}`,
    '',
    '  Put an item up:',
    `  curl ${url}/bids.v1.BidService/CreateItem -H 'content-type: application/json' -d '${item}'`,
    '',
    '  Stop: Ctrl-C',
    '',
    '',
  ].join('\n')
}
