/**
 * Answers unary procedures: Connect (POST and GET), gRPC-Web and gRPC, in JSON and protobuf, over HTTP/1.1 and HTTP/2.
 * The library's own handler makes fetch objects, streams and abort signals of every request, which is more than half of
 * what a bid costs; this one reads the body in one piece, calls the handler and writes the answer. What it does not know
 * (another content type, another method) is the library's, which says what there is.
 */
import {
  create,
  type DescMethodUnary,
  type JsonReadOptions,
  type Message,
} from '@bufbuild/protobuf'
import { ConnectError, type MethodImpl } from '@connectrpc/connect'
import type { CallLimits } from '../identity/call-limits.ts'
import { originKey } from '../identity/origin.ts'
import type { Permit } from '../identity/permission.ts'
import type { Principal } from '../identity/principal.ts'
import type { Log } from '../process/log.ts'
import type { HttpRequest, HttpResponse } from '../server/http-handler.ts'
import { sendJson } from '../server/http-pages.ts'
import type { CallGuard } from './around-calls.ts'
import { incomingHeaders, procedureName } from './call-telemetry.ts'
import type { JsonTextOptions } from './json-text.ts'
import { messageReaders, messageWriters } from './message-codecs.ts'
import { GONE } from './request-body.ts'
import type { TellOfRefusals } from './refused-calls.ts'
import { checkRequest, prepareRules } from './request-validator.ts'
import { callerLeft } from './rpc-errors.ts'
import { UnaryCall } from './unary-call.ts'
import { incomingOf, type Incoming, messageOf, wishesOf } from './unary-request.ts'

export type UnaryProcedure = {
  method: DescMethodUnary
  permit: Permit
  implementation: MethodImpl<DescMethodUnary>
  /** Of a request message. */
  limitBytes: number
  jsonOptions: Partial<JsonReadOptions> & JsonTextOptions
}

export type UnaryResponderOptions = {
  begin: CallGuard
  tell: TellOfRefusals
  limits: CallLimits
  /** Longest deadline a caller may ask for. */
  maxTimeoutMs: number
  /** Its reason is what calls are told that are still in hand. */
  shutdownSignal: AbortSignal
  log: Log
}

export type UnaryResponder = {
  add: (procedure: UnaryProcedure) => void
  /** False for a request that it has not touched. */
  answer: (
    path: string,
    query: string,
    request: HttpRequest,
    response: HttpResponse,
    principal: Principal,
  ) => boolean
}

type Known = UnaryProcedure & {
  readers: ReturnType<typeof messageReaders>
  writers: ReturnType<typeof messageWriters>
}

export function createUnaryResponder(options: UnaryResponderOptions): UnaryResponder {
  const { shutdownSignal, log } = options
  const procedures = new Map<string, Known>()
  const inHand = new Set<UnaryCall>()
  const hands = { ...options, inHand }
  shutdownSignal.addEventListener('abort', () => {
    for (const call of inHand) call.abort(ConnectError.from(shutdownSignal.reason))
  })

  return {
    add: (procedure) => {
      const { method, jsonOptions } = procedure
      prepareRules(method.input)
      const readers = messageReaders(method.input, jsonOptions)
      const writers = messageWriters(method.output, jsonOptions)
      procedures.set(`/${procedureName(method)}`, { ...procedure, readers, writers })
    },
    answer: (path, query, request, response, principal) => {
      const procedure = procedures.get(path)
      if (!procedure) return false
      const incoming = incomingOf(procedure.method, query, request)
      if (incoming === undefined) return false
      if (typeof incoming === 'string') {
        sendJson(request, response, 400, { code: 'invalid_argument', message: incoming })
        return true
      }
      respond(hands, { procedure, incoming, request, response, principal }).catch(
        (error: unknown) => {
          log.error({ err: error, procedure: path.slice(1) }, 'an answer could not be written')
          response.destroy()
        },
      )
      return true
    },
  }
}

type Exchange = {
  procedure: Known
  incoming: Incoming
  request: HttpRequest
  response: HttpResponse
  principal: Principal
}

/** Rejects when there is no answering. */
async function respond(
  { begin, tell, limits, maxTimeoutMs, inHand }: UnaryResponderOptions & { inHand: Set<UnaryCall> },
  { procedure, incoming, request, response, principal }: Exchange,
): Promise<void> {
  const { method, permit, limitBytes, jsonOptions } = procedure
  const { protocol, encoding, contentType } = incoming.format
  const read = procedure.readers[encoding]
  const write = procedure.writers[encoding]
  const wishes = wishesOf(incoming, request.headers, maxTimeoutMs)
  const { timeoutMs } = wishes
  const protocolName = protocol.name
  const call = new UnaryCall({ method, protocolName, request, principal, timeoutMs })
  inHand.add(call)
  let isAnswered = false
  response.on('close', () => {
    if (!isAnswered) call.abort(callerLeft())
  })
  try {
    // The body of who may not call, or calls too often, is not read.
    const limited = limits.take(permit.limit, principal, request)
    const refusal = (limited && (await limited)) ?? permit.refusal(principal)
    const coming = refusal ?? incoming.body(limitBytes)
    const body = coming instanceof Promise ? await Promise.race([coming, call.aborted()]) : coming
    if (body === GONE) return
    const guarded = begin(method, request.headers, incomingHeaders)
    const form = { response, call, contentType, compression: wishes.compression }
    let asked: Message | undefined
    try {
      if (body instanceof ConnectError) throw body
      const message = read(await messageOf(incoming, body, wishes, limitBytes))
      asked = message
      permit.bind(principal, message)
      checkRequest(method.input, message)
      const output = await guarded.run(() => procedure.implementation(message, call))
      await protocol.answer(form, write(create(method.output, output)))
      guarded.end('ok')
    } catch (error) {
      const reason = guarded.fail(error, call.signal)
      tell(reason, () => {
        return { method, principal, origin: call.values.get(originKey), request: asked }
      })
      await protocol.refuse(form, reason, jsonOptions)
    }
    isAnswered = true
  } finally {
    inHand.delete(call)
    call.end()
  }
}
