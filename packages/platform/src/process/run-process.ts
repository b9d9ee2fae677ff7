/**
 * The life of a process, the same for all: read the configuration, start the components (meanwhile the port says that
 * it is alive, and what it waits for), serve them on one port, and end in order. A `main.ts` is one call:
 *
 * ```ts
 * await runProcess({
 *   name: 'bid',
 *   config: readBidConfig, // () => readConfig({ ...processShape, DATABASE_URL: postgresUrl(), … })
 *   start: async (config, { log, signal }) => [await startBid(config, log, signal)],
 * })
 * ```
 *
 * Exit codes: 0 after SIGTERM or SIGINT; 1 for a configuration that cannot be used, a failed start, an
 * error nobody caught, or a stop that failed or hung. A start that fails for a reason its user can mend
 * throws `StartError`, whose message is printed as it is.
 */
import { once } from 'node:events'
import { constants, getPriority, setPriority } from 'node:os'
import type { ProcessConfig } from './config.ts'
import { createLog } from './log.ts'
import type { Log } from './log.ts'
import type { Component } from './component.ts'
import { createAuthenticator } from '../identity/authenticator.ts'
import { createCallLimits } from '../identity/call-limits.ts'
import { startServer } from '../server/server.ts'
import type { Server } from '../server/server.ts'
import { StartError } from './start-error.ts'
import { answerWhileStarting } from '../server/starting-server.ts'
import { startTelemetry } from '../telemetry/telemetry.ts'

/** An orchestrator gives 10 s from SIGTERM; the rest is for the exit itself. */
const STOP_LIMIT_MS = 9_000

/** The most that setInterval takes, about 25 days. */
const LONGEST_TIMER_MS = 2 ** 31 - 1

export type ProcessContext = {
  log: Log
  /** Aborts when the process is asked to stop while it still starts; pass it to every wait. */
  signal: AbortSignal
  /**
   * Something to undo at the end, such as a database this process has started. Runs after all components have
   * stopped, last registered first, also when `start` failed (but not after a crash).
   */
  onStop: (undo: () => Promise<void>) => void
}

export type ProcessOptions<Config extends ProcessConfig> = {
  /** Short name: in logs, and `bidmesh-<name>` in telemetry unless OTEL_SERVICE_NAME says otherwise. */
  name: string
  /** Reads the environment; a ConfigError is printed as it is. */
  config: () => Config
  /** Starts the components, served together on `HOST:PORT`. They are stopped one by one, last first. */
  start: (config: Config, context: ProcessContext) => Promise<readonly Component[]>
  /**
   * Where processes share cores, others come first: below normal priority, on systems that have such. With 10,000
   * ends at once on two cores, a bid's median wait was 18 ms while relay and statistics came before it like anybody,
   * and 8 ms behind it.
   */
  yields?: boolean
  /** Called once the port answers, e.g. to print the address. */
  started?: (server: Server, config: Config) => void | Promise<void>
}

/** Never upwards: whoever started this at a lower priority meant it, and may not be allowed to take it back. */
function giveWay(): void {
  const { PRIORITY_BELOW_NORMAL } = constants.priority
  if (getPriority() >= PRIORITY_BELOW_NORMAL) return
  try {
    setPriority(PRIORITY_BELOW_NORMAL)
  } catch {
    // A sandbox that allows no change: the process works as well without.
  }
}

/**
 * Runs until asked to stop, then ends the process. With `BIDMESH_EXIT_WITH_PARENT=1` the closing of the
 * IPC channel to the parent is such a request too, so that a parent that was killed leaves nothing
 * behind. A second signal ends the process at once.
 */
export async function runProcess<Config extends ProcessConfig>(
  options: ProcessOptions<Config>,
): Promise<never> {
  const config = readOrExit(options.config)
  if (options.yields) giveWay()
  const log = createLog({ name: options.name, level: config.LOG_LEVEL })
  // Also for rejections that nobody handles: what state they left behind is unknown, so nothing goes on.
  process.on('uncaughtException', (err, origin) => {
    log.fatal({ err, origin }, 'an error was not caught: ending')
    process.exit(1)
  })
  // When it ends is decided below, never by an event loop that has nothing to wait for.
  setInterval(() => undefined, LONGEST_TIMER_MS)
  const signal = stopSignal(log)
  const undo: (() => Promise<void>)[] = []
  let code = 0
  try {
    await serve(options, config, { log, signal, onStop: (step) => undo.push(step) })
  } catch (error) {
    // A start interrupted by the stop it was asked for has not failed.
    if (!signal.aborted) {
      code = 1
      forceExitLater(log)
      reportFailedStart(error, log)
    }
  }
  for (const step of undo.toReversed()) {
    await step().catch((err: unknown) => {
      code = 1
      log.error({ err }, 'a step of stopping failed')
    })
  }
  log.info({ code }, 'stopped')
  process.exit(code)
}

/** Starts everything in the order in which it is needed, and returns when the signal says stop. */
async function serve<Config extends ProcessConfig>(
  options: ProcessOptions<Config>,
  config: Config,
  context: ProcessContext,
): Promise<void> {
  const { log, signal, onStop } = context
  const telemetry = await startTelemetry({ serviceName: `bidmesh-${options.name}`, log })
  onStop(telemetry.stop)
  const factor = config.RATE_LIMIT_FACTOR ?? (config.AUTH_MODE === 'jwt' ? 1 : 0)
  const limits = await createCallLimits({ factor, redisUrl: config.REDIS_URL, log })
  onStop(async () => limits.stop())
  const starting = await answerWhileStarting({ host: config.HOST, port: config.PORT, log })
  const components = await options.start(config, { ...context, log: starting.log })
  for (const component of components) onStop(component.stop)
  const ownKeys = components.flatMap(({ issuerKeys = [] }) => issuerKeys)
  const authenticator = createAuthenticator(config, log, ownKeys)
  onStop(async () => authenticator.stop())
  await starting.close()
  if (signal.aborted) return
  const { metricsText } = telemetry
  const server = await startServer({
    host: config.HOST,
    port: config.PORT,
    corsOrigins: config.CORS_ORIGINS,
    allowedHosts: config.ALLOWED_HOSTS,
    maxConnections: config.MAX_CONNECTIONS,
    components,
    authenticator,
    limits,
    trustedProxies: config.TRUSTED_PROXIES,
    log,
    metricsText,
  })
  onStop(server.stop)
  const { url, maxConnections } = server
  log.info(
    { url, maxConnections, components: components.map((component) => component.name) },
    'ready',
  )
  await options.started?.(server, config)
  if (!signal.aborted) await once(signal, 'abort')
}

function readOrExit<Config>(read: () => Config): Config {
  try {
    return read()
  } catch (error) {
    if (!(error instanceof StartError)) throw error
    process.stderr.write(`${error.message}\n`)
    return process.exit(1)
  }
}

function reportFailedStart(error: unknown, log: Log): void {
  if (error instanceof StartError) process.stderr.write(`${error.message}\n`)
  else log.fatal({ err: error }, 'start failed')
}

/** Aborts at the first request to stop. */
function stopSignal(log: Log): AbortSignal {
  const stop = new AbortController()
  const onStop = (reason: string) => {
    if (stop.signal.aborted) {
      log.warn({ reason }, 'asked to stop again: ending at once')
      process.exit(1)
    }
    log.info({ reason }, 'stopping')
    forceExitLater(log)
    stop.abort()
  }
  process.on('SIGTERM', onStop)
  process.on('SIGINT', onStop)
  if (process.env['BIDMESH_EXIT_WITH_PARENT'] === '1') {
    if (process.connected) process.on('disconnect', () => onStop('parent has gone'))
    else onStop('there is no parent')
  }
  return stop.signal
}

/** Whatever hangs while stopping must not keep the process. */
function forceExitLater(log: Log): void {
  setTimeout(() => {
    log.fatal(`not stopped within ${STOP_LIMIT_MS} ms: ending`)
    process.exit(1)
  }, STOP_LIMIT_MS).unref()
}
