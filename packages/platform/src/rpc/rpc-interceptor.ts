/** What surrounds calls that the library answers: streams, and calls within a process. */
import type { TextMapGetter } from '@opentelemetry/api'
import type { DescMethod, Message } from '@bufbuild/protobuf'
import type { Interceptor } from '@connectrpc/connect'
import { limitKey } from '../identity/call-limits.ts'
import { originKey } from '../identity/origin.ts'
import type { Permit } from '../identity/permission.ts'
import { principalKey } from '../identity/principal.ts'
import { type LimitedCall, untilTokenEnd } from '../identity/token-end.ts'
import type { CallGuard, GuardedCall } from './around-calls.ts'
import type { TellOfRefusals } from './refused-calls.ts'
import { checkRequest } from './request-validator.ts'

const headerGetter: TextMapGetter<Headers> = {
  keys: (headers) => [...headers.keys()],
  get: (headers, key) => headers.get(key) ?? undefined,
}

export function rpcInterceptor(
  begin: CallGuard,
  tell: TellOfRefusals,
  permitFor: (method: DescMethod) => Permit,
): Interceptor {
  return (next) => async (request) => {
    const { method, header, signal, contextValues } = request
    let asked: Message | undefined
    const principal = contextValues.get(principalKey)
    const call = begin(method, header, headerGetter)
    const limited = untilTokenEnd(principal, signal)
    try {
      const permit = permitFor(method)
      const tooOften = await contextValues.get(limitKey)(permit.limit)
      const refusal = tooOften ?? permit.refusal(principal)
      if (refusal) throw refusal
      const check = (message: Message): void => {
        asked = message
        permit.bind(principal, message)
        checkRequest(method.input, message)
      }
      if (!request.stream) {
        check(request.message)
        const response = await call.run(() => next(request))
        call.end('ok')
        limited.end()
        return response
      }
      const message = checkEach(check, request.message)
      const response = await call.run(() => next({ ...request, signal: limited.signal, message }))
      if (response.stream) {
        return { ...response, message: endAfter(response.message, call, limited) }
      }
      call.end('ok')
      limited.end()
      return response
    } catch (error) {
      limited.end()
      const reason = call.fail(error, signal)
      const origin = contextValues.get(originKey)
      tell(reason, () => ({ method, principal, origin, request: asked }))
      throw reason
    }
  }
}

async function* checkEach<Request extends Message>(
  check: (message: Request) => void,
  messages: AsyncIterable<Request>,
) {
  for await (const message of messages) {
    check(message)
    yield message
  }
}

/** A stream's call lasts until its last message, until its reader returns early, or until its reader's token ends. */
async function* endAfter<T>(messages: AsyncIterable<T>, call: GuardedCall, limited: LimitedCall) {
  let end: 'ok' | 'canceled' | undefined = 'canceled'
  try {
    for await (const message of messages) {
      limited.check()
      yield message
    }
    limited.check()
    end = 'ok'
  } catch (error) {
    end = undefined
    throw call.fail(error, limited.signal)
  } finally {
    limited.end()
    if (end) call.end(end)
  }
}
