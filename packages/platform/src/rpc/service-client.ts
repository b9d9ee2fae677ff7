/**
 * Calls from one service to another, between processes or within one. All that is called this way only reads, so a call
 * that failed for want of an answer is made again, at the next address if there are several. What must stay true: whoever
 * asks has an answer or an error within seconds, whatever the other side or the network between does, and no error
 * passes the other side's headers on.
 *
 * Over HTTP/1.1: connect-node's sessions of HTTP/2 (2.2.0) leave an error of a session unheard when they are asked for
 * another at that moment, and an error that nobody hears ends the process.
 */
import { Agent, type ClientRequestArgs } from 'node:http'
import { connect, type Socket } from 'node:net'
import {
  Code,
  ConnectError,
  createRouterTransport,
  type Interceptor,
  type Transport,
} from '@connectrpc/connect'
import { createConnectTransport } from '@connectrpc/connect-node'
import { permitOf } from '../identity/permission.ts'
import { ownService, principalKey } from '../identity/principal.ts'
import { serviceTokenOf } from '../identity/service-token.ts'
import type { Component } from '../process/component.ts'
import { isUnavailable, messageOf, TransientError } from '../process/errors.ts'
import type { Log } from '../process/log.ts'
import { createCallGuard } from './around-calls.ts'
import { rpcInterceptor } from './rpc-interceptor.ts'

/** Of a unary call, at one address; a query may take as long. */
const ATTEMPT_LIMIT_MS = 2_000
const ATTEMPTS = 3
/** No attempt begins later: what takes long is not asked for a third time. */
const BEGIN_LIMIT_MS = 3_000
/** Before the same address is tried again. */
const PAUSE_MS = 100
const CONNECT_LIMIT_MS = 1_000
/** A stream that says nothing for so long has broken off. */
const SILENCE_LIMIT_MS = 5_000

export type ServiceClient = {
  transport: Transport
  close: () => void
}

/**
 * @param name of the service, for messages
 * @param urls its addresses, `http://host:port`, any of which will do
 * @param tokenFile with the token to show; undefined: none, for a service in trusted mode
 */
export function connectService(
  name: string,
  urls: readonly string[],
  tokenFile?: string,
): ServiceClient {
  const interceptors = tokenFile === undefined ? [] : [showing(serviceTokenOf(tokenFile))]
  const connections = urls.map((baseUrl): Connection => {
    const agent = new BriefAgent()
    const options = { baseUrl, httpVersion: '1.1', interceptors, nodeOptions: { agent } } as const
    return { transport: createConnectTransport(options), agent }
  })
  return {
    transport: againAndElsewhere(name, connections),
    close: () => connections.forEach(({ agent }) => agent.destroy()),
  }
}

/** The same of a component of this process, with all that surrounds its calls in a server. */
export function callInProcess({ routes, explainError }: Component, log: Log): Transport {
  const begin = createCallGuard({ log, explain: explainError ? [explainError] : [] })
  const interceptors = [asOurselves, rpcInterceptor(begin, permitOf)]
  return createRouterTransport(routes, { router: { interceptors } })
}

function showing(token: () => Promise<string>): Interceptor {
  return (next) => async (request) => {
    request.header.set('authorization', `Bearer ${await token()}`)
    return await next(request)
  }
}

const asOurselves: Interceptor = (next) => (request) => {
  request.contextValues.set(principalKey, ownService)
  return next(request)
}

type Connection = { transport: Transport; agent: BriefAgent }

/** Keeps connections, and waits for none that does not come about or falls silent. */
class BriefAgent extends Agent {
  constructor() {
    super({ keepAlive: true, scheduling: 'lifo', timeout: SILENCE_LIMIT_MS })
  }

  override createConnection({ host, port }: ClientRequestArgs): Socket {
    const socket = connect({ host: host ?? 'localhost', port: Number(port ?? 80), noDelay: true })
    const giveUp = (reason: string) => socket.destroy(new TransientError(reason))
    const limit = setTimeout(() => giveUp('no connection within a second'), CONNECT_LIMIT_MS)
    for (const event of ['connect', 'close'] as const) socket.once(event, () => clearTimeout(limit))
    socket.setTimeout(SILENCE_LIMIT_MS, () => giveUp('the connection has fallen silent'))
    return socket
  }

  /** Where one has not answered, those that wait beside it are not relied on. */
  dropIdle(): void {
    for (const socket of Object.values(this.freeSockets).flat()) socket?.destroy()
  }
}

/** Begins where the last call had its answer. */
function againAndElsewhere(name: string, connections: readonly Connection[]): Transport {
  let current = 0

  async function attempt<Answer>(
    signal: AbortSignal | undefined,
    attempts: number,
    call: (transport: Transport) => Promise<Answer>,
  ): Promise<Answer> {
    const startedMs = performance.now()
    for (let left = attempts; ; left -= 1) {
      const index = current % connections.length
      const connection = connections[index]
      if (!connection) throw new TransientError(`the ${name} service has no address`)
      try {
        return await call(connection.transport)
      } catch (error) {
        if (signal?.aborted) throw error
        if (isAboutOurToken(error))
          throw new TransientError(`the ${name} service refuses this service: ${messageOf(error)}`)
        if (!isUnanswered(error)) throw passedOn(error)
        connection.agent.dropIdle()
        if (current % connections.length === index) current += 1
        const isLast = left <= 1 || performance.now() - startedMs > BEGIN_LIMIT_MS
        if (isLast)
          throw new TransientError(`the ${name} service is unavailable: ${messageOf(error)}`)
        if (connections.length === 1) await new Promise((done) => setTimeout(done, PAUSE_MS))
      }
    }
  }

  return {
    unary: (method, signal, timeoutMs, ...rest) =>
      attempt(signal, ATTEMPTS, (transport) =>
        transport.unary(method, signal, timeoutMs ?? ATTEMPT_LIMIT_MS, ...rest),
      ),
    // What has begun to come cannot be begun again here.
    stream: (method, signal, timeoutMs, ...rest) =>
      attempt(signal, 1, (transport) => transport.stream(method, signal, timeoutMs, ...rest)),
  }
}

const unavailableCodes = new Set([
  Code.Unavailable,
  Code.DeadlineExceeded,
  Code.ResourceExhausted,
  Code.Canceled,
  Code.Aborted,
  // Of the version before, in a roll-out.
  Code.Unimplemented,
])

/** It says nothing of what was asked: no answer, or one of a server that is not ready for it yet. */
function isUnanswered(error: unknown): boolean {
  if (!(error instanceof ConnectError)) return isUnavailable(error)
  return unavailableCodes.has(error.code) || isUnavailable(error.cause)
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
