/**
 * One Bidmesh process of the stack: started on a port of its own, watched, restarted when it dies by
 * itself, ended when asked. It runs in its own process group, so that Ctrl-C reaches only the stack, and
 * holds an IPC channel to us: when we are gone, however we went, it stops.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { type FileHandle, open } from 'node:fs/promises'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { freePort } from '@bidmesh/platform/free-port.ts'
import { endProcess, sendSignal, waitForEnd } from '@bidmesh/platform/process-end.ts'
import type { ProgressLog } from '@bidmesh/platform/progress-log.ts'

/** From start to `/readyz`: migrations, and on a busy machine seconds of loading modules. */
const READY_LIMIT_MS = 60_000
const READY_POLL_MS = 50
/** The contract gives a process 10 s after SIGTERM. */
const STOP_LIMIT_MS = 11_000
const KILL_LIMIT_MS = 5_000
/** Between a death and the restart: longer each time in a row, back to the first after a good minute. */
const RESTART_FIRST_MS = 200
const RESTART_MOST_MS = 10_000
const GOOD_RUN_MS = 60_000

export type ServiceProcess = {
  name: string
  url: string
  /** Of the process that runs now. */
  readonly pid: number
  /** `kill -9`, and no restart until {@link ServiceProcess.start}; resolves when it is gone. */
  kill9(): Promise<void>
  /** Starts it again on the same port; resolves when it is ready. */
  start(): Promise<void>
  /** SIGTERM; resolves when it is gone. */
  stop(): Promise<void>
}

export type ServiceOptions = {
  name: string
  /** The module to run, e.g. `@bidmesh/bid/main.ts`. */
  main: string
  env: Readonly<Record<string, string>>
  /** Where its output goes; appended. */
  logFile: string
  log: ProgressLog
  /** A given one or a free one. */
  port?: number
}

/** Resolves when the process is ready. */
export async function startService(options: ServiceOptions): Promise<ServiceProcess> {
  const port = options.port ?? (await freePort())
  const url = `http://127.0.0.1:${port}`
  let child: ChildProcess | undefined
  /** What we want: a process that dies while it should run is restarted. */
  let wanted = false
  let deaths = 0

  async function launch(): Promise<void> {
    const startedMs = performance.now()
    const started = await spawnService(options, port)
    child = started
    started.once('exit', (code, signal) => {
      if (!wanted || child !== started) return
      deaths = performance.now() - startedMs > GOOD_RUN_MS ? 1 : deaths + 1
      const pauseMs = Math.min(RESTART_FIRST_MS * 2 ** (deaths - 1), RESTART_MOST_MS)
      options.log.warn(
        { code: signal ?? code, restartInMs: pauseMs, log: options.logFile },
        `${options.name} died`,
      )
      setTimeout(() => {
        if (wanted && child === started) void launch()
      }, pauseMs)
    })
  }

  const service: ServiceProcess = {
    name: options.name,
    url,
    get pid() {
      return child?.pid ?? 0
    },
    async kill9() {
      wanted = false
      const { pid } = service
      sendSignal(pid, 'SIGKILL')
      if (!(await waitForEnd(pid, KILL_LIMIT_MS)))
        throw new Error(`${options.name} outlived kill -9`)
    },
    async start() {
      wanted = true
      await launch()
      await untilReady(options, url, () => child?.exitCode ?? child?.signalCode ?? null)
    },
    async stop() {
      wanted = false
      if (service.pid === 0) return
      await endProcess(service.pid, [
        { signal: 'SIGTERM', limitMs: STOP_LIMIT_MS },
        { signal: 'SIGKILL', limitMs: KILL_LIMIT_MS },
      ])
    },
  }
  try {
    await service.start()
  } catch (error) {
    await service.stop()
    throw error
  }
  return service
}

async function spawnService(options: ServiceOptions, port: number): Promise<ChildProcess> {
  const log: FileHandle = await open(options.logFile, 'a')
  try {
    const child = spawn(
      process.execPath,
      ['--disable-warning=ExperimentalWarning', fileURLToPath(import.meta.resolve(options.main))],
      {
        env: {
          ...process.env,
          ...options.env,
          HOST: '127.0.0.1',
          PORT: String(port),
          BIDMESH_EXIT_WITH_PARENT: '1',
        },
        detached: true,
        stdio: ['ignore', log.fd, log.fd, 'ipc'],
      },
    )
    await once(child, 'spawn')
    return child
  } finally {
    await log.close()
  }
}

async function untilReady(
  options: ServiceOptions,
  url: string,
  exit: () => number | string | null,
): Promise<void> {
  const deadlineMs = performance.now() + READY_LIMIT_MS
  let last = 'no answer'
  while (performance.now() < deadlineMs) {
    if (exit() === 1) {
      throw new Error(`${options.name} could not start: see ${options.logFile}`)
    }
    last = await fetch(`${url}/readyz`).then(
      async (response) => (response.ok ? '' : await response.text()),
      () => 'no answer',
    )
    if (last === '') return
    await sleep(READY_POLL_MS)
  }
  throw new Error(`${options.name} was not ready in ${READY_LIMIT_MS} ms: ${last}`)
}
