/** Starts a service or a server of the bench as a process of its own and waits until it answers. */
import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { freePort } from '@bidmesh/platform/process/free-port.ts'
import { endProcess } from '@bidmesh/platform/process/process-end.ts'

/** From process start to `/readyz`, migrations and a busy machine included. */
const readyLimitMs = 60_000
const readyPollMs = 50

/** A server has 10 s to finish what it has in hand, by contract. */
const stopLimitMs = 12_000
const killLimitMs = 2_000

export type ServerProcess = {
  url: string
  pid: number
  child: ChildProcess
  /** Ends it before its time; it may have ended by itself. */
  stop: () => Promise<void>
}

/**
 * @param cleanup takes over its ending
 * @param main the module to run, resolved from here (`@bidmesh/bid/main.ts`, `./baseline/library-server.ts`)
 * @param env over the bench's own environment; HOST and PORT are set here
 */
export async function spawnServer(
  cleanup: AsyncDisposableStack,
  main: string,
  env: Readonly<Record<string, string>> = {},
): Promise<ServerProcess> {
  const port = await freePort()
  const url = `http://127.0.0.1:${port}`
  const child = fork(fileURLToPath(import.meta.resolve(main)), {
    env: {
      ...process.env,
      AUTH_MODE: 'trusted',
      BIDMESH_EXIT_WITH_PARENT: '1',
      // Stdout is the table's.
      LOG_LEVEL: 'error',
      ...env,
      HOST: '127.0.0.1',
      PORT: String(port),
    },
    stdio: ['ignore', process.stderr, 'inherit', 'ipc'],
  })
  const { pid } = child
  if (pid === undefined) throw new Error(`${main} could not be started`)
  const stop = (): Promise<void> =>
    endProcess(pid, [
      { signal: 'SIGTERM', limitMs: stopLimitMs },
      { signal: 'SIGKILL', limitMs: killLimitMs },
    ])
  const ended = once(child, 'exit').then(([code]) => {
    throw new Error(`${main} ended by itself (exit code ${String(code)})`)
  })
  // Awaited only until it is ready; an orderly end later is nobody's error.
  ended.catch(() => undefined)
  cleanup.defer(stop)
  await Promise.race([untilReady(url), ended])
  return { url, pid, child, stop }
}

async function untilReady(url: string): Promise<void> {
  const deadlineMs = performance.now() + readyLimitMs
  let last = 'no answer'
  while (performance.now() < deadlineMs) {
    last = await fetch(`${url}/readyz`).then(
      async (response) => (response.ok ? '' : await response.text()),
      () => 'no answer',
    )
    if (last === '') return
    await sleep(readyPollMs)
  }
  throw new Error(`${url} was not ready within ${readyLimitMs} ms: ${last}`)
}
