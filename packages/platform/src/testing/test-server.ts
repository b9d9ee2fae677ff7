/** A component on a real server, for tests that call procedures the way clients do. */
import { createLog } from '../process/log.ts'
import type { Component } from '../process/component.ts'
import { type Authenticator, trustEverybody } from '../identity/authenticator.ts'
import { startServer, type Server, type ServerOptions } from '../server/server.ts'

export const quietLog = createLog({ name: 'test', level: 'silent' })

/**
 * Serves the components on a free port; the caller stops the server, which stops the components too.
 *
 * @param authenticator absent: requests say who calls
 * @param more of the server's options
 */
export async function startTestServer(
  components: readonly Component[],
  authenticator: Authenticator = trustEverybody,
  more: Pick<ServerOptions, 'limits' | 'trustedProxies'> = {},
): Promise<Server> {
  const server = await startServer({
    host: '127.0.0.1',
    port: 0,
    components,
    authenticator,
    log: quietLog,
    metricsText: async () => '',
    finishLimitMs: 1_000,
    ...more,
  })
  return {
    ...server,
    stop: async () => {
      await server.stop()
      for (const component of components) await component.stop()
    },
  }
}
