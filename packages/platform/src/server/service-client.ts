/**
 * Calls from one service to another: gRPC-like clients over {@link Transport}, between processes or within one. All
 * that is called this way only reads, so a call that failed for want of an answer is made again, at the next address if
 * there are several. What must stay true: whoever asks has an answer or an error within seconds, whatever the other side
 * or the network between does, and no error tells addresses, or passes the other side's headers on.
 */
import { connect, type Socket } from 'node:net'
import { Code, ConnectError, createRouterTransport, type Transport } from '@connectrpc/connect'
import { createConnectTransport, Http2SessionManager } from '@connectrpc/connect-node'
import type { Component } from '../process/component.ts'
import { errorCode, isUnavailable, messageOf, TransientError } from '../process/errors.ts'
import type { Log } from '../process/log.ts'
import { rpcInterceptors } from './rpc-interceptors.ts'

/** Of a unary call, at one address; a query may take as long. */
const ATTEMPT_LIMIT_MS = 2_000
const ATTEMPTS = 3
/** No attempt begins later: what takes long is not asked for a third time. */
const BEGIN_LIMIT_MS = 3_000
/** Before the same address is tried again. */
const PAUSE_MS = 100
const CONNECT_LIMIT_MS = 1_000
/** A connection that is in use and silent for so long is asked for a sign of life … */
const PING_INTERVAL_MS = 1_000
/** … and given up without one, so that the next attempt has another. */
const PING_LIMIT_MS = 1_000

export type ServiceClient = {
  transport: Transport
  close: () => void
}

/**
 * @param name of the service, for messages
 * @param urls its addresses, `http://host:port`, any of which will do
 */
export function connectService(name: string, urls: readonly string[]): ServiceClient {
  const connections = urls.map((url) => {
    const sessionManager = new Http2SessionManager(
      url,
      { pingIntervalMs: PING_INTERVAL_MS, pingTimeoutMs: PING_LIMIT_MS },
      { createConnection: ({ hostname, port }) => connectWithin(hostname, Number(port || 80)) },
    )
    const transport = createConnectTransport({ baseUrl: url, httpVersion: '2', sessionManager })
    return { transport, sessionManager }
  })
  return {
    transport: againAndElsewhere(
      name,
      connections.map((each) => each.transport),
    ),
    close: () => connections.forEach(({ sessionManager }) => sessionManager.abort()),
  }
}

/** The same of a component of this process, with the interceptors that its calls pass in a server. */
export function callInProcess({ routes, interceptors = [] }: Component, log: Log): Transport {
  return createRouterTransport(routes, {
    router: { interceptors: rpcInterceptors(log, interceptors) },
  })
}

/** Otherwise a connection to an address that swallows packets is waited for for minutes, by all calls. */
function connectWithin(host: string, port: number): Socket {
  const socket = connect({ host, port, noDelay: true })
  const giveUp = () => socket.destroy(new Error('no connection within a second'))
  const limit = setTimeout(giveUp, CONNECT_LIMIT_MS).unref()
  socket.once('connect', () => clearTimeout(limit)).once('close', () => clearTimeout(limit))
  return socket
}

/** Begins where the last call had its answer. */
function againAndElsewhere(name: string, transports: readonly Transport[]): Transport {
  let current = 0

  async function attempt<Answer>(
    signal: AbortSignal | undefined,
    attempts: number,
    call: (transport: Transport) => Promise<Answer>,
  ): Promise<Answer> {
    const startedMs = performance.now()
    for (let left = attempts; ; left -= 1) {
      const index = current % transports.length
      try {
        const transport = transports[index]
        if (!transport) throw new TransientError('no address')
        return await call(transport)
      } catch (error) {
        if (signal?.aborted) throw error
        if (!isUnanswered(error)) throw passedOn(error)
        if (current % transports.length === index) current += 1
        const isLast = left <= 1 || performance.now() - startedMs > BEGIN_LIMIT_MS
        if (isLast)
          throw new TransientError(`the ${name} service is unavailable: ${messageOf(error)}`)
        if (transports.length === 1) await new Promise((done) => setTimeout(done, PAUSE_MS))
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
  Code.Unimplemented,
])

/** It says nothing of what was asked: no answer, or one of a server that is not ready for it yet. */
function isUnanswered(error: unknown): boolean {
  if (error instanceof ConnectError)
    return unavailableCodes.has(error.code) || isUnavailable(error.cause)
  return isUnavailable(error) || errorCode(error)?.startsWith('ERR_HTTP2_') === true
}

/** Or no server of HTTP/2, such as that of a process which still starts. */
function isLost(error: unknown): boolean {
  return isUnavailable(error) || errorCode(error)?.startsWith('ERR_HTTP2_') === true
}

/** Without the headers of the answer: they are not those of ours. */
function passedOn(error: unknown): unknown {
  if (!(error instanceof ConnectError)) return error
  const { rawMessage, code, details } = error
  const passed = new ConnectError(rawMessage, code, undefined, undefined, error.cause)
  passed.details = details
  return passed
}
