/** A part on a real server, for tests that call procedures the way clients do. */
import { createLog } from '../log.ts'
import type { Part } from '../part.ts'
import { startServer, type Server } from '../server.ts'

export const quietLog = createLog({ name: 'test', level: 'silent' })

/** Serves the parts on a free port; the caller stops the server, which stops the parts too. */
export async function startTestServer(parts: readonly Part[]): Promise<Server> {
  const server = await startServer({
    host: '127.0.0.1',
    port: 0,
    parts,
    log: quietLog,
    metricsText: async () => '',
    finishLimitMs: 1_000,
  })
  return {
    ...server,
    stop: async () => {
      await server.stop()
      for (const part of parts) await part.stop()
    },
  }
}
