/** What surrounds calls that the library answers: streams, and calls within a process. */
import type { TextMapGetter } from '@opentelemetry/api'
import type { DescMessage, Message } from '@bufbuild/protobuf'
import type { Interceptor } from '@connectrpc/connect'
import type { CallGuard, GuardedCall } from './around-calls.ts'
import { checkRequest } from './request-validator.ts'

const headerGetter: TextMapGetter<Headers> = {
  keys: (headers) => [...headers.keys()],
  get: (headers, key) => headers.get(key) ?? undefined,
}

export function rpcInterceptor(begin: CallGuard): Interceptor {
  return (next) => async (request) => {
    const { method, header, signal } = request
    const call = begin(method, header, headerGetter)
    try {
      if (!request.stream) {
        checkRequest(method.input, request.message)
        const response = await call.run(() => next(request))
        call.end('ok')
        return response
      }
      const checked = { ...request, message: checkEach(method.input, request.message) }
      const response = await call.run(() => next(checked))
      if (response.stream) {
        return { ...response, message: endAfter(response.message, call, signal) }
      }
      call.end('ok')
      return response
    } catch (error) {
      throw call.fail(error, signal)
    }
  }
}

async function* checkEach<Request extends Message>(
  schema: DescMessage,
  messages: AsyncIterable<Request>,
) {
  for await (const message of messages) {
    checkRequest(schema, message)
    yield message
  }
}

/** A stream's call lasts until its last message, or until its reader returns early. */
async function* endAfter<T>(messages: AsyncIterable<T>, call: GuardedCall, signal: AbortSignal) {
  let end: 'ok' | 'canceled' | undefined = 'canceled'
  try {
    yield* messages
    end = 'ok'
  } catch (error) {
    end = undefined
    throw call.fail(error, signal)
  } finally {
    if (end) call.end(end)
  }
}
