/** For tests: standalone as a newcomer starts it, on a data directory and a port of its own. */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { repository } from './repository.ts'

export type StandaloneProcess = {
  url: string
  pid: number
  /** All of stdout so far. */
  output: () => string
  /** All of stderr so far. */
  errors: () => string
  /** Resolves with the exit code, or the signal that ended it. */
  end: (signal: NodeJS.Signals) => Promise<number | string>
}

export type StandaloneRun = { code: number | string; output: string; errors: string }

export type StandaloneOptions = {
  /** Descriptors it may use, its Postgres too; otherwise as many as we. */
  filesMax?: number
  /** Node's inspector listens; it says where in `errors`. */
  isInspected?: boolean
  /** Over our own environment. */
  env?: Record<string, string>
}

/** Resolves when it has greeted. Rejects with all it said when it ends before. */
export async function startStandalone(
  dataDir: string,
  port: number,
  options: StandaloneOptions = {},
): Promise<StandaloneProcess> {
  const place = { BIDMESH_DATA_DIR: dataDir, PORT: String(port) }
  const child = spawnStandalone({ ...options.env, ...place }, options)
  const ended = endOf(child)
  const said = collect(child)
  const { promise: greeted, resolve } = Promise.withResolvers<void>()
  child.stdout?.on('data', () => {
    if (said().output.includes('Stop: Ctrl-C')) resolve()
  })
  const failed = ended.then((code) => {
    throw new Error(`standalone ended with ${code}: ${said().output}${said().errors}`)
  })
  await Promise.race([greeted, failed])
  failed.catch(() => undefined)
  return {
    url: `http://127.0.0.1:${port}`,
    pid: child.pid ?? 0,
    output: () => said().output,
    errors: () => said().errors,
    end: async (signal) => {
      child.kill(signal)
      return await ended
    },
  }
}

/** Runs it where it is expected to end by itself. */
export async function runStandalone(env: Record<string, string>): Promise<StandaloneRun> {
  const child = spawnStandalone(env)
  const said = collect(child)
  const code = await endOf(child)
  return { code, ...said() }
}

function spawnStandalone(
  env: Record<string, string>,
  { filesMax, isInspected = false }: StandaloneOptions = {},
): ChildProcess {
  // Both limits: Node raises the soft one to the hard one.
  const limit = filesMax === undefined ? ':' : `ulimit -n ${filesMax}`
  const command = `${limit} && exec "$0" ${isInspected ? '--inspect=127.0.0.1:0' : ''} standalone/src/main.ts`
  return spawn('/bin/sh', ['-c', command, process.execPath], {
    cwd: repository,
    env: { ...process.env, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
}

function collect(child: ChildProcess): () => { output: string; errors: string } {
  let output = ''
  let errors = ''
  child.stdout?.on('data', (chunk) => (output += String(chunk)))
  child.stderr?.on('data', (chunk) => (errors += String(chunk)))
  return () => ({ output, errors })
}

async function endOf(child: ChildProcess): Promise<number | string> {
  await once(child, 'close')
  return child.exitCode ?? child.signalCode ?? 'unknown'
}
