/**
 * Calls from one service to another, between processes or within one. What must stay true: whoever asks has an answer or
 * an error within seconds, and within what is left of its own caller's deadline, whatever the other side or the network
 * between does; and no error passes the other side's headers on.
 *
 * The retries are those of the client that everybody has (packages/client); where a call goes is in
 * service-addresses.ts.
 */
import { createRetryBudget } from '@bidmesh/client/retry-budget.ts'
import { isUnanswered as isNoAnswer } from '@bidmesh/client/errors.ts'
import { withPolicy } from '@bidmesh/client/call-policy.ts'
import {
  type CallOptions,
  Code,
  ConnectError,
  createRouterTransport,
  type HandlerContext,
  type Interceptor,
  type Transport,
} from '@connectrpc/connect'
import { BrokenCircuitError, BulkheadRejectedError } from 'cockatiel'
import { permitOf } from '../identity/permission.ts'
import { ownService, principalKey } from '../identity/principal.ts'
import { serviceTokenOf } from '../identity/service-token.ts'
import type { Component } from '../process/component.ts'
import { isUnavailable, messageOf, TransientError } from '../process/errors.ts'
import type { Log } from '../process/log.ts'
import { createCallGuard } from './around-calls.ts'
import { tellOfRefusals } from './refused-calls.ts'
import { rpcInterceptor } from './rpc-interceptor.ts'
import { createServiceAddresses, type Resolve, resolveAll } from './service-addresses.ts'

/** Of a unary call with all its tries, unless its caller leaves it less. */
const CALL_LIMIT_MS = 4_000
/** Of one try, at one address; a query may take as long. */
const ATTEMPT_LIMIT_MS = 2_000
/** All that were under way at an address that died may be tried again at once. */
const RETRIES_SAVED = 200

export type ServiceClientOptions = {
  /** With the token to show; undefined: none, for services in trusted mode. */
  tokenFile?: string | undefined
  /** For tests. */
  resolve?: Resolve
}

export type ServiceClient = {
  transport: Transport
  close: () => void
}

/** What is left to a call within another: its deadline, and its end when its caller leaves. */
export function within({ signal, timeoutMs }: HandlerContext): CallOptions {
  const leftMs = timeoutMs()
  return { signal, ...(leftMs !== undefined && { timeoutMs: Math.max(1, Math.ceil(leftMs)) }) }
}

/**
 * @param name of the service, for messages
 * @param urls its addresses, `http://host:port`, any of which will do; of a host with several addresses each is one
 */
export function connectService(
  name: string,
  urls: readonly string[],
  { tokenFile, resolve = resolveAll }: ServiceClientOptions = {},
): ServiceClient {
  const { ask, close } = createServiceAddresses({ urls, resolve, isUnanswered })
  const anywhere: Transport = {
    unary: (...call) => ask((transport) => transport.unary(...call)).catch(elsewhere),
    // What has begun to come cannot be begun again here.
    stream: (...call) => ask((transport) => transport.stream(...call)).catch(elsewhere),
  }
  const again = withPolicy(anywhere, {
    timeoutMs: CALL_LIMIT_MS,
    attemptTimeoutMs: ATTEMPT_LIMIT_MS,
    budget: createRetryBudget({ savedMax: RETRIES_SAVED }),
    ...(tokenFile !== undefined && { token: serviceTokenOf(tokenFile) }),
  })
  const told = (error: unknown): never => {
    if (isAboutOurToken(error))
      throw new TransientError(`the ${name} service refuses this service: ${messageOf(error)}`)
    if (!isUnanswered(error)) throw passedOn(error)
    const words = error instanceof ConnectError ? error.rawMessage : messageOf(error)
    throw new TransientError(`the ${name} service is unavailable: ${words}`)
  }
  return {
    transport: {
      unary: (...call) => again.unary(...call).catch(told),
      stream: (...call) => again.stream(...call).catch(told),
    },
    close,
  }
}

/** The same of a component of this process, with all that surrounds its calls in a server. */
export function callInProcess(component: Component, log: Log): Transport {
  const { routes, explainError, onRefused } = component
  const begin = createCallGuard({ log, explain: explainError ? [explainError] : [] })
  const tell = tellOfRefusals({ onRefused: onRefused ? [onRefused] : [] })
  const interceptors = [asOurselves, rpcInterceptor(begin, tell, permitOf)]
  return createRouterTransport(routes, { router: { interceptors } })
}

const asOurselves: Interceptor = (next) => (request) => {
  request.contextValues.set(principalKey, ownService)
  return next(request)
}

/** Of an address that has too much to do, and of the version before, in a roll-out. */
const otherwiseElsewhere = new Set([Code.ResourceExhausted, Code.Unimplemented])

/** It says nothing of what was asked: no answer, or one of a server that is not ready for it yet. */
function isUnanswered(error: unknown): boolean {
  if (!(error instanceof ConnectError)) return isUnavailable(error) || isWithheld(error)
  return isNoAnswer(error) || otherwiseElsewhere.has(error.code) || isUnavailable(error.cause)
}

/** It was not even sent. */
function isWithheld(error: unknown): boolean {
  return error instanceof BrokenCircuitError || error instanceof BulkheadRejectedError
}

/** Without the time at which that address wants to be asked again: there are others. */
function elsewhere(error: unknown): never {
  if (!isUnanswered(error)) throw error
  throw new ConnectError(messageOf(error), Code.Unavailable)
}

/** It is this service that is not known or not allowed, and not who has asked this service. */
function isAboutOurToken(error: unknown): boolean {
  if (!(error instanceof ConnectError)) return false
  return error.code === Code.Unauthenticated || error.code === Code.PermissionDenied
}

/** Without the headers of the answer: they are not those of ours. */
function passedOn(error: unknown): unknown {
  if (!(error instanceof ConnectError)) return error
  const { rawMessage, code, details } = error
  const passed = new ConnectError(rawMessage, code, undefined, undefined, error.cause)
  passed.details = details
  return passed
}
