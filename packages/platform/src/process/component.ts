import type { DescFile, DescMethod, DescService, Message } from '@bufbuild/protobuf'
import type { ConnectError, ConnectRouter } from '@connectrpc/connect'
import type { CallLimits } from '../identity/call-limits.ts'
import type { Origin } from '../identity/origin.ts'
import type { JWK } from 'jose'
import type { Principal } from '../identity/principal.ts'
import type { HttpRequest, HttpResponse } from '../server/http-handler.ts'

/**
 * Asked about each call of the process that fails: returns what to make of the error, which is the error itself for
 * procedures of others. For what only this part can say about it, such as a detail that its clients read.
 */
export type ExplainError = (method: DescMethod, error: unknown) => unknown

/** A call that was answered UNAUTHENTICATED or PERMISSION_DENIED. */
export type RefusedCall = {
  method: DescMethod
  principal: Principal
  origin: Origin
  /** Undefined when nobody read it. */
  request: Message | undefined
  reason: ConnectError
}

/**
 * One service as something that runs: its procedures, how ready it is, how it stops. A process serves
 * one component (`services/bid/src/main.ts`) or several (`standalone/src/main.ts`) on one port.
 */
export type Component = {
  /** Short name for logs and `/readyz`, e.g. `bid`. */
  name: string
  /** Descriptors of what `routes` registers, for gRPC health and reflection. Each method says who may call it. */
  services: readonly DescService[]
  /** Those of them that others have made, so that they cannot say it: anybody may call. */
  forAnybody?: readonly DescService[]
  /** Files of the messages that its answers hold as `google.protobuf.Any`, for JSON and reflection. */
  held?: readonly DescFile[]
  routes: (router: ConnectRouter) => void
  /** Procedures whose calls go before all others of the process, e.g. bids. */
  urgent?: readonly DescMethod[]
  explainError?: ExplainError
  /** Told of each call of the process that is refused because of who calls. Must not throw. */
  onRefused?: (call: RefusedCall) => void
  /**
   * Sees each request before the procedures do, and answers those that are its own: true when it has taken
   * the request, false when it has not touched it. For what the procedures are no good for, such as pages
   * and streams with very many readers. It has to ask `permitOf` whether the principal may have what it gives, and the
   * limits whether they may have it now.
   */
  handle?: (
    request: HttpRequest,
    response: HttpResponse,
    principal: Principal,
    limits: CallLimits,
  ) => boolean
  /** As `handle`, of what nobody else has an answer for: instead of the typed JSON that says so. */
  handleUnknown?: (request: HttpRequest, response: HttpResponse) => boolean
  /** Public keys of the tokens that it gives as `OIDC_ISSUER`: this process need not fetch them of itself. */
  issuerKeys?: readonly JWK[]
  /** What `handle` answers, a line each for the index page, e.g. `GET /live/items/{id}  …`. */
  pages?: readonly string[]
  /** Called when the process begins to stop: ends answers that would never end by themselves. */
  drain?: () => void
  /** Resolves when what the component depends on answers; rejects with a reason fit for `/readyz`. */
  check: () => Promise<void>
  /** Called after the server has finished its last request. Finishes work in hand and closes connections. */
  stop: () => Promise<void>
}
