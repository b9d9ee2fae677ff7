/**
 * One Bidmesh process of the stack, under supervision. It is wanted up or down: a process that ends while
 * it should be up is started again after a growing pause, and said so; what was stopped or killed through
 * its handle stays down until `start`. It does not outlive us: the closing of its IPC channel asks it to
 * stop. Its port stays the same for life, so clients may keep its address.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { setTimeout as sleep } from 'node:timers/promises'
import { messageOf } from '@bidmesh/platform/process/errors.ts'
import type { ProgressLog } from '@bidmesh/platform/process/progress-log.ts'

/** A migration of a full database may run before a process is ready; most stacks start empty. */
const readyLimitMs = 120_000
const readyPollMs = 50
/** While it is not ready, what it lacks is said this often. */
const sayWaitingMs = 5_000
/** A probe that hangs counts as not ready. */
const probeLimitMs = 3_000
/** Processes stop within 10 s by contract. */
const stopLimitMs = 12_000
const restartPauseMs = { first: 250, most: 10_000 }
/** Having been up this long, the next end begins with the first pause again. */
const stableAfterMs = 30_000
/** Lines of output kept to explain a failed start. */
const keptLines = 40

export type ProcessSpec = {
  /** Unique in the stack, e.g. `bid-1`. */
  name: string
  /** Absolute path of the entry point. */
  main: string
  port: number
  /** Its configuration, over our own environment. */
  env: Readonly<Record<string, string>>
  log: ProgressLog
  /** Gets every line it writes. */
  output?: ((line: string) => void) | undefined
}

export type BidmeshProcess = {
  readonly name: string
  readonly url: string
  /** Undefined while it is down. */
  readonly pid: number | undefined
  /** Resolves when it is gone; it stays down. */
  kill9: () => Promise<void>
  /** Resolves when `/readyz` says yes. Throws with its last output when it ends before that. */
  start: () => Promise<void>
  /** SIGTERM, and SIGKILL after 12 s; it stays down. */
  stop: () => Promise<void>
}

/** The process is down until its `start`. */
export function createBidmeshProcess(spec: ProcessSpec): BidmeshProcess {
  const url = `http://127.0.0.1:${spec.port}`
  const lastLines: string[] = []
  let current: ChildProcess | undefined
  let pauseMs = restartPauseMs.first
  /** Cancels a restart that is due. */
  let restart = new AbortController()

  function run(): ChildProcess {
    const child = spawnProcess(spec, (line) => {
      if (lastLines.push(line) > keptLines) lastLines.shift()
      spec.output?.(line)
    })
    const startedAt = performance.now()
    current = child
    const ended = (reason: string): void => {
      // Brought down through its handle, which has forgotten it already.
      if (current !== child) return
      current = undefined
      if (performance.now() - startedAt > stableAfterMs) pauseMs = restartPauseMs.first
      void restartLater(reason)
    }
    child.once('error', (error) => ended(messageOf(error)))
    child.once('exit', (code, signal) => ended(signal ?? `exit code ${code}`))
    return child
  }

  async function restartLater(reason: string): Promise<void> {
    spec.log.warn({ process: spec.name, reason, pauseMs }, 'a process has ended: starting it again')
    restart = new AbortController()
    const { signal } = restart
    const waited = sleep(pauseMs, undefined, { signal }).catch(() => undefined)
    pauseMs = Math.min(pauseMs * 2, restartPauseMs.most)
    await waited
    if (!signal.aborted) run()
  }

  async function end(signals: readonly NodeJS.Signals[]): Promise<void> {
    restart.abort()
    const child = current
    current = undefined
    if (child !== undefined) await endChild(child, signals)
  }

  return {
    name: spec.name,
    url,
    get pid() {
      return current?.pid
    },
    start: async () => {
      if (current !== undefined) throw new Error(`${spec.name} runs already`)
      restart.abort()
      pauseMs = restartPauseMs.first
      lastLines.length = 0
      try {
        await waitUntilReady(run(), url, spec)
      } catch (error) {
        await end(['SIGKILL'])
        const said = lastLines.join('\n')
        throw new Error(`${spec.name} ${messageOf(error)}\n${said}`, { cause: error })
      }
    },
    kill9: async () => await end(['SIGKILL']),
    stop: async () => await end(['SIGTERM', 'SIGKILL']),
  }
}

function spawnProcess(spec: ProcessSpec, output: (line: string) => void): ChildProcess {
  const child = spawn(process.execPath, [spec.main], {
    // A session of its own: Ctrl-C is for us, who stop the processes in order.
    detached: true,
    stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
    env: {
      ...process.env,
      ...spec.env,
      HOST: '127.0.0.1',
      PORT: String(spec.port),
      BIDMESH_EXIT_WITH_PARENT: '1',
    },
  })
  for (const stream of [child.stdout, child.stderr]) {
    if (stream !== null) createInterface(stream).on('line', output)
  }
  return child
}

async function waitUntilReady(child: ChildProcess, url: string, spec: ProcessSpec): Promise<void> {
  const deadline = performance.now() + readyLimitMs
  let sayAt = performance.now() + sayWaitingMs
  for (;;) {
    const lack = await probe(url)
    if (hasEnded(child)) throw new Error('ended before it was ready:')
    if (lack === undefined) return
    if (performance.now() > deadline) {
      throw new Error(`was not ready within ${readyLimitMs} ms (${lack}):`)
    }
    if (performance.now() > sayAt) {
      sayAt += sayWaitingMs
      spec.log.info({ process: spec.name, reason: lack }, 'waiting for a process to be ready')
    }
    await sleep(readyPollMs)
  }
}

/** What keeps the process from being ready, or undefined when it is. */
async function probe(url: string): Promise<string | undefined> {
  try {
    const response = await fetch(`${url}/readyz`, { signal: AbortSignal.timeout(probeLimitMs) })
    const body = await response.text()
    return response.ok ? undefined : body.trim()
  } catch (error) {
    return messageOf(error instanceof Error ? (error.cause ?? error) : error)
  }
}

async function endChild(child: ChildProcess, signals: readonly NodeJS.Signals[]): Promise<void> {
  for (const signal of signals) {
    if (hasEnded(child)) return
    const limit = AbortSignal.timeout(stopLimitMs)
    const exit = once(child, 'exit', { signal: limit }).catch(() => undefined)
    child.kill(signal)
    await exit
  }
  if (!hasEnded(child)) throw new Error(`process ${child.pid} outlived ${signals.join(', ')}`)
}

function hasEnded(child: ChildProcess): boolean {
  return child.pid === undefined || child.exitCode !== null || child.signalCode !== null
}
