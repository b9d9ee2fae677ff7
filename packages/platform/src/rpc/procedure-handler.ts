/**
 * Procedures as a handler of Node's requests. Unary calls have a responder of their own (`unary-responder.ts`). The rest,
 * streams and requests that nobody can read, is done as the library's adapter does it, with three differences: what it
 * leaves unread or unsaid is answered in words (`procedure-answer.ts`), procedures are registered with the limits of their
 * messages (`strict-router.ts`), and failures go to the log.
 */
import {
  createRegistry,
  type DescFile,
  type DescMethod,
  type DescService,
} from '@bufbuild/protobuf'
import { Code, ConnectError, createConnectRouter, createContextValues } from '@connectrpc/connect'
import type { ConnectRouter } from '@connectrpc/connect'
import {
  universalRequestFromNodeRequest,
  universalResponseToNodeResponse,
} from '@connectrpc/connect-node'
import {
  type HttpHandler,
  type HttpRequest,
  type IdentifiedHandler,
  partsOf,
} from '../server/http-handler.ts'
import { sendJson } from '../server/http-pages.ts'
import { forAnybody, type Permit, permitOf } from '../identity/permission.ts'
import { type CallLimits, limitKey } from '../identity/call-limits.ts'
import { originKey, originOf } from '../identity/origin.ts'
import { principalKey } from '../identity/principal.ts'
import { type RefusalsOptions, tellOfRefusals } from './refused-calls.ts'
import { type CallGuardOptions, createCallGuard } from './around-calls.ts'
import { inWords } from './procedure-answer.ts'
import { rpcInterceptor } from './rpc-interceptor.ts'
import { strictRouter } from './strict-router.ts'
import { compressions } from './unary-request.ts'
import { createUnaryResponder } from './unary-responder.ts'

export type ProcedureHandlerOptions = CallGuardOptions &
  RefusalsOptions & {
    limits: CallLimits
    /** Longest deadline a caller may ask for. */
    maxTimeoutMs: number
    /** Its reason is what calls are told that are still in hand. */
    shutdownSignal: AbortSignal
    routes: (router: ConnectRouter) => void
    /** Files of messages that an `Any` may hold. */
    held: readonly DescFile[]
    /** Services whose methods do not say who may call them, because they are of others. */
    forAnybody: ReadonlySet<DescService>
    /** Gets requests for what is no procedure. */
    fallback: HttpHandler
  }

/** Registering a method that does not say who may call it throws. */
export function createProcedureHandler(options: ProcedureHandlerOptions): IdentifiedHandler {
  const { routes, held, fallback, limits, maxTimeoutMs, shutdownSignal, log } = options
  const begin = createCallGuard(options)
  const permitFor = (method: DescMethod): Permit =>
    options.forAnybody.has(method.parent) ? forAnybody : permitOf(method)
  const tell = tellOfRefusals(options)
  const unary = createUnaryResponder({ begin, tell, limits, maxTimeoutMs, shutdownSignal, log })
  const router = createConnectRouter({
    maxTimeoutMs,
    shutdownSignal,
    interceptors: [rpcInterceptor(begin, tell, permitFor)],
    acceptCompression: compressions,
  })
  const registry = createRegistry(...held)
  routes(strictRouter(router, { registry, permitFor, addUnary: unary.add }))
  const handlers = new Map(router.handlers.map((handler) => [handler.requestPath, handler]))
  return (request, response, principal) => {
    const { path, query } = partsOf(request)
    const handler = handlers.get(path)
    if (!handler) return fallback(request, response)
    if (!hasHost(request)) {
      response.setHeader('connection', 'close')
      const message = 'the request has no usable host'
      return sendJson(request, response, 400, { code: 'invalid_argument', message })
    }
    if (unary.answer(path, query, request, response, principal)) return
    const values = createContextValues()
      .set(principalKey, principal)
      .set(originKey, originOf(request))
      .set(limitKey, (limit) => limits.take(limit, principal, request))
    void handler(universalRequestFromNodeRequest(request, response, undefined, values))
      .then((answer) => inWords(answer, handler))
      .then((answer) => universalResponseToNodeResponse(answer, response))
      .catch((error: unknown) => {
        // The caller has left.
        if (ConnectError.from(error).code === Code.Aborted) return
        log.error({ err: error, procedure: path.slice(1) }, 'an answer could not be written')
      })
  }
}

/** Of the names that were seen last, one: nearly all requests are for the same. */
let usableHost = ''

/** Without one there is no address, which the library makes of each request; HTTP/1.0 needs none. */
function hasHost({ headers }: HttpRequest): boolean {
  const host = headers[':authority'] ?? headers.host
  if (typeof host !== 'string') return false
  if (host !== usableHost) {
    if (!URL.canParse(`http://${host}`)) return false
    usableHost = host
  }
  return true
}
