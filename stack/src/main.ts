/**
 * `make up`: starts the local stack, says where everything is, and stops all of it at Ctrl-C. A second
 * Ctrl-C, or one during the start, ends at once: the services and processes notice that we are gone.
 */
import { progressOnStderr } from '@bidmesh/platform/process/progress-log.ts'
import { messageOf } from '@bidmesh/platform/process/errors.ts'
import { readStackConfig } from './config.ts'
import { type Stack, startStack } from './start-stack.ts'
import { welcome } from './welcome.ts'

/** Next to each other from where standalone would be, so that examples work on both. */
const firstPort = 8080

const log = progressOnStderr('[stack]')
let stack: Stack | undefined
let isStopping = false

for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => void stop())

try {
  stack = await startStack({
    log,
    firstPort,
    devIssuer: readStackConfig().AUTH === 'oidc',
    env: { LOG_LEVEL: process.env['LOG_LEVEL'] ?? 'warn' },
    output: (name, line) => process.stderr.write(`${name} ${line}\n`),
  })
  process.stdout.write(welcome(stack))
} catch (error) {
  log.warn({}, messageOf(error))
  process.exit(1)
}

async function stop(): Promise<void> {
  if (stack === undefined || isStopping) process.exit(130)
  isStopping = true
  log.info({}, 'stopping; once more to end at once')
  try {
    await stack.stop()
  } catch (error) {
    log.warn({}, messageOf(error))
    process.exit(1)
  }
  process.exit(0)
}
