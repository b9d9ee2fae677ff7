/** A private Redis for tests and the local stack: free port, 127.0.0.1 only, nothing on disk. */
import path from 'node:path'
import { freePort } from '../process/free-port.ts'
import { endProcess } from '../process/process-end.ts'
import { startNativeProcess } from './native-process.ts'
import type { PrivateDirectory } from './private-directory.ts'
import type { RunningService } from './running-service.ts'
import { serviceChecks } from './service-checks.ts'

const killLimitMs = 5_000

/** @param file path of `redis-server` */
export async function startNativeRedis(
  file: string,
  directory: PrivateDirectory,
): Promise<RunningService> {
  const port = await freePort()
  const url = `redis://127.0.0.1:${port}`
  const settings = ['--port', String(port), '--bind', '127.0.0.1', '--dir', directory.path]
  const start = async (): Promise<number> =>
    await startNativeProcess(
      {
        file,
        args: [...settings, '--save', '', '--appendonly', 'no', '--daemonize', 'no'],
        env: process.env,
        logFile: path.join(directory.path, 'redis.log'),
        check: async () => await serviceChecks.redis(url),
      },
      async (started) => await directory.reap('redis', -started, 'KILL'),
    )
  let pid = await start()
  return {
    url,
    get pid() {
      return pid
    },
    kill9: async () => {
      await endProcess(pid, [{ signal: 'SIGKILL', limitMs: killLimitMs }])
      await directory.forget('redis')
    },
    start: async () => {
      pid = await start()
    },
  }
}
