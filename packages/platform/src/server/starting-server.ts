/**
 * The port of a process while its components start, which may be long: they wait for a database, or for it to be
 * migrated. It says that the process is alive, and what it waits for, so that nobody takes the wait for a hang and
 * ends it. What a start warns of is what it waits for.
 */
import { once } from 'node:events'
import { createServer } from 'node:http'
import { errorCode } from '../process/errors.ts'
import type { Log } from '../process/log.ts'

/** Probes, and callers who come too early: each is answered at once and sent away. */
const CONNECTIONS_MAX = 200

export type StartingServer = {
  /** For the components: its warnings are repeated by `/readyz`. */
  log: Log
  /** Frees the port for the server itself. */
  close: () => Promise<void>
}

export type StartingServerOptions = { host: string; port: number; log: Log }

/** A port that cannot be had is left to whoever wants it next to complain about; so is one that is not known yet. */
export async function answerWhileStarting(options: StartingServerOptions): Promise<StartingServer> {
  const { host, port } = options
  let message = 'starting'
  const warn = (fields: { reason?: string }, words: string): void => {
    message = fields.reason === undefined ? words : `${words}: ${fields.reason}`
    options.log.warn(fields, words)
  }
  const log: Log = Object.create(options.log, { warn: { value: warn, configurable: true } })
  const server = createServer({ keepAlive: false }, (request, response) => {
    const path = request.url?.split('?', 1)[0]
    const [status, body] =
      path === '/healthz'
        ? [200, { status: 'ok' }]
        : path === '/readyz'
          ? [503, { status: 'unavailable', components: {}, reason: message }]
          : [503, { code: 'unavailable', message }]
    response.writeHead(status, { 'content-type': 'application/json', connection: 'close' })
    response.end(`${JSON.stringify(body)}\n`)
  })
  server.maxConnections = CONNECTIONS_MAX
  if (port !== 0) await tryToListen()
  return {
    log,
    close: async () => {
      Reflect.deleteProperty(log, 'warn')
      if (!server.listening) return
      const closed = once(server, 'close')
      server.close()
      server.closeAllConnections()
      await closed
    },
  }

  async function tryToListen(): Promise<void> {
    try {
      await once(server.listen({ host, port }), 'listening')
    } catch (error) {
      options.log.debug({ code: errorCode(error) }, 'the port cannot be had yet')
    }
  }
}
