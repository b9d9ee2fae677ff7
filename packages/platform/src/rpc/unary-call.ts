/**
 * A unary call in hand: what a handler is given as its context. What few handlers ask for (headers, the signal, values)
 * is made when they do.
 */
import type { IncomingHttpHeaders } from 'node:http'
import type { DescMethod } from '@bufbuild/protobuf'
import {
  ConnectError,
  type ContextValues,
  createContextValues,
  type HandlerContext,
} from '@connectrpc/connect'
import { originKey, originOf } from '../identity/origin.ts'
import { type Principal, principalKey } from '../identity/principal.ts'
import type { HttpRequest } from '../server/http-handler.ts'
import { deadlinePassed } from './rpc-errors.ts'

export type UnaryCallInit = {
  method: DescMethod
  protocolName: string
  request: HttpRequest
  principal: Principal
  /** From now on; undefined: none. */
  timeoutMs: number | undefined
}

export class UnaryCall implements HandlerContext {
  readonly method: DescMethod
  readonly protocolName: string
  readonly #request: HttpRequest
  readonly #principal: Principal
  readonly #deadlineAtMs: number | undefined
  readonly #deadline: NodeJS.Timeout | undefined
  #abort: AbortController | undefined
  #reason: ConnectError | undefined
  #requestHeader: Headers | undefined
  #responseHeader: Headers | undefined
  #responseTrailer: Headers | undefined
  #values: ContextValues | undefined

  constructor({ method, protocolName, request, principal, timeoutMs }: UnaryCallInit) {
    this.method = method
    this.protocolName = protocolName
    this.#request = request
    this.#principal = principal
    if (timeoutMs === undefined) return
    this.#deadlineAtMs = performance.now() + timeoutMs
    this.#deadline = setTimeout(() => this.abort(deadlinePassed()), timeoutMs)
  }

  get service() {
    return this.method.parent
  }

  get requestMethod(): string {
    return this.#request.method ?? ''
  }

  get url(): string {
    const { headers, url = '' } = this.#request
    return `http://${String(headers[':authority'] ?? headers.host)}${url}`
  }

  get signal(): AbortSignal {
    if (!this.#abort) {
      this.#abort = new AbortController()
      if (this.#reason) this.#abort.abort(this.#reason)
    }
    return this.#abort.signal
  }

  get requestHeader(): Headers {
    return (this.#requestHeader ??= webHeaders(this.#request.headers))
  }

  get responseHeader(): Headers {
    return (this.#responseHeader ??= new Headers())
  }

  get responseTrailer(): Headers {
    return (this.#responseTrailer ??= new Headers())
  }

  get values(): ContextValues {
    return (this.#values ??= createContextValues()
      .set(principalKey, this.#principal)
      .set(originKey, originOf(this.#request)))
  }

  /** Whole ones until its deadline, which may have passed; undefined without one. */
  timeoutMs = (): number | undefined =>
    this.#deadlineAtMs === undefined
      ? undefined
      : Math.round(this.#deadlineAtMs - performance.now())

  /** Tells the handler to give up. Only the first reason counts. */
  abort(reason: ConnectError): void {
    this.#reason ??= reason
    this.#abort?.abort(this.#reason)
  }

  /** Resolves with the reason when the handler would be told to give up. */
  aborted(): Promise<ConnectError> {
    return new Promise((resolve) => {
      const { signal } = this
      signal.addEventListener('abort', () => resolve(ConnectError.from(signal.reason)))
    })
  }

  /** What the handler has said beside its answer; undefined: nothing. */
  said(): { header: Headers | undefined; trailer: Headers | undefined } {
    return { header: this.#responseHeader, trailer: this.#responseTrailer }
  }

  /** It has been answered. */
  end(): void {
    clearTimeout(this.#deadline)
  }
}

function webHeaders(headers: IncomingHttpHeaders): Headers {
  const web = new Headers()
  for (const [name, value] of Object.entries(headers)) {
    // Those of HTTP/2 that take the place of the request line.
    if (value === undefined || name.startsWith(':')) continue
    for (const each of Array.isArray(value) ? value : [value]) web.append(name, each)
  }
  return web
}
