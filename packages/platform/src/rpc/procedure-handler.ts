/**
 * Procedures as a handler of Node's requests. What the library's adapter does, with three differences: what
 * it leaves unread or unsaid is answered in words (`procedure-answer.ts`), procedures are registered with
 * the limits of their messages (`strict-router.ts`), and failures go to the log.
 */
import { base64Decode } from '@bufbuild/protobuf/wire'
import { createRegistry, type DescFile } from '@bufbuild/protobuf'
import { Code, ConnectError, createConnectRouter } from '@connectrpc/connect'
import type { ConnectRouter, ConnectRouterOptions } from '@connectrpc/connect'
import {
  compressionBrotli,
  compressionGzip,
  universalRequestFromNodeRequest,
  universalResponseToNodeResponse,
} from '@connectrpc/connect-node'
import type { HttpHandler } from '../server/http-handler.ts'
import { sendJson } from '../server/http-pages.ts'
import type { Log } from '../process/log.ts'
import { inWords } from './procedure-answer.ts'
import { strictRouter } from './strict-router.ts'

export type ProcedureHandlerOptions = Pick<
  ConnectRouterOptions,
  'interceptors' | 'maxTimeoutMs' | 'shutdownSignal'
> & {
  routes: (router: ConnectRouter) => void
  /** Files of messages that an `Any` may hold. */
  held: readonly DescFile[]
  /** Gets requests for what is no procedure. */
  fallback: HttpHandler
  log: Log
}

/** Throws for a request without a usable host. */
export function createProcedureHandler(options: ProcedureHandlerOptions): HttpHandler {
  const { routes, held, fallback, log, ...rest } = options
  const router = createConnectRouter({
    ...rest,
    acceptCompression: [compressionGzip, compressionBrotli],
  })
  routes(strictRouter(router, createRegistry(...held)))
  const handlers = new Map(router.handlers.map((handler) => [handler.requestPath, handler]))
  return (request, response) => {
    const [path = '', query = ''] = (request.url ?? '').split('?', 2)
    const handler = handlers.get(path)
    if (!handler) return fallback(request, response)
    const fault = request.method === 'GET' ? queryFault(query) : undefined
    if (fault) return sendJson(request, response, 400, { code: 'invalid_argument', message: fault })
    void handler(universalRequestFromNodeRequest(request, response, undefined, undefined))
      .then((answer) => inWords(answer, handler))
      .then((answer) => universalResponseToNodeResponse(answer, response))
      .catch((error: unknown) => {
        // The caller has left.
        if (ConnectError.from(error).code === Code.Aborted) return
        log.error({ err: error, procedure: path.slice(1) }, 'an answer could not be written')
      })
  }
}

/** What is wrong with the message in an address; the library would replace bytes, or fail as if it were our fault. */
function queryFault(query: string): string | undefined {
  try {
    decodeURIComponent(query)
  } catch {
    return 'the query is not percent-encoded UTF-8'
  }
  const parameters = new URLSearchParams(query)
  if (parameters.get('base64') !== '1') return undefined
  try {
    base64Decode(parameters.get('message') ?? '')
    return undefined
  } catch {
    return 'message is not base64, which base64=1 says it is'
  }
}
