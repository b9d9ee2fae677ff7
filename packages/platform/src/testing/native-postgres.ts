/** A private Postgres for tests and the local stack: npm's binaries on a directory that is thrown away. */
import path from 'node:path'
import { startEmbeddedPostgres } from '../postgres/embedded-postgres.ts'
import { endProcess } from '../process/process-end.ts'
import type { ProgressLog } from '../process/progress-log.ts'
import type { PrivateDirectory } from './private-directory.ts'
import type { RunningService } from './running-service.ts'

const killLimitMs = 5_000

/** A whole stack and the tests that look into it share this server. */
const settings = { max_connections: '300', shared_buffers: '128MB' }

export async function startNativePostgres(
  directory: PrivateDirectory,
  log: ProgressLog,
): Promise<RunningService> {
  const dataDir = path.join(directory.path, 'postgres')
  let server = await startEmbeddedPostgres({ dataDir, log, settings })
  // QUIT, the immediate shutdown: it frees the shared memory, which outlives a kill.
  await directory.reap('postgres', server.pid, 'QUIT')
  return {
    url: server.url('postgres'),
    get pid() {
      return server.pid
    },
    kill9: async () => {
      await endProcess(server.pid, [{ signal: 'SIGKILL', limitMs: killLimitMs }])
      await directory.forget('postgres')
    },
    start: async () => {
      server = await startEmbeddedPostgres({ dataDir, port: server.port, log, settings })
      await directory.reap('postgres', server.pid, 'QUIT')
    },
  }
}
