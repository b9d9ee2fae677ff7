/** What answers a request of either version of HTTP. */
import type { connectNodeAdapter } from '@connectrpc/connect-node'
import type { Principal } from '../identity/principal.ts'

/** Node's two kinds of request and response, with types patched by Connect so that they agree. */
export type HttpHandler = ReturnType<typeof connectNodeAdapter>
export type HttpRequest = Parameters<HttpHandler>[0]
export type HttpResponse = Parameters<HttpHandler>[1]

/** As {@link HttpHandler}, once it is known who calls. */
export type IdentifiedHandler = (
  request: HttpRequest,
  response: HttpResponse,
  principal: Principal,
) => void

/** Nobody waits for the answer any more. */
export function isGone(request: HttpRequest, response: HttpResponse): boolean {
  return 'stream' in request ? request.stream.destroyed : response.destroyed
}

/** Of a request's address; the query may have question marks of its own. */
export function partsOf({ url = '' }: HttpRequest): { path: string; query: string } {
  const at = url.indexOf('?')
  return at < 0 ? { path: url, query: '' } : { path: url.slice(0, at), query: url.slice(at + 1) }
}
