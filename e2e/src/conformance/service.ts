/**
 * The suite's service: it answers as each request asks for, and repeats what has come. What every procedure
 * has to do is in the comments of the suite's `connectrpc/conformance/v1/service.proto`.
 */
import { setTimeout as wait } from 'node:timers/promises'
import { create, type Message, type MessageShape } from '@bufbuild/protobuf'
import { anyPack } from '@bufbuild/protobuf/wkt'
import { ConnectError, type HandlerContext, type ServiceImpl } from '@connectrpc/connect'
import {
  type BidiStreamRequest,
  ConformancePayload_RequestInfoSchema,
  type ConformanceService,
  type Error as ErrorDefinition,
  type Header,
  type StreamResponseDefinition,
  type UnaryResponseDefinition,
} from './gen/connectrpc/conformance/v1/service_pb.ts'

type Requests = readonly Message[]
type RequestInfo = MessageShape<typeof ConformancePayload_RequestInfoSchema>

/** All procedures but the one that the suite wants unimplemented. */
export const conformanceService: Omit<ServiceImpl<typeof ConformanceService>, 'unimplemented'> = {
  unary: (request, context) => onlyReply(request.responseDefinition, [request], context),
  idempotentUnary: (request, context) => onlyReply(request.responseDefinition, [request], context),
  async clientStream(requests, context) {
    const all = await Array.fromAsync(requests)
    return await onlyReply(all[0]?.responseDefinition, all, context)
  },
  async *serverStream(request, context) {
    addMetadata(request.responseDefinition, context)
    yield* replies(request.responseDefinition, [request], context)
  },
  async *bidiStream(requests, context) {
    let first: BidiStreamRequest | undefined
    const unanswered: Message[] = []
    let sent = 0
    for await (const request of requests) {
      if (!first) addMetadata(request.responseDefinition, context)
      first ??= request
      unanswered.push(request)
      const { fullDuplex, responseDefinition: definition } = first
      if (!fullDuplex) continue
      if (sent >= (definition?.responseData.length ?? 0)) break
      if (definition) yield await reply(definition, sent, unanswered.splice(0), context)
      sent += 1
    }
    yield* replies(first?.responseDefinition, unanswered, context, sent)
  },
}

/** Where one answer is all there is. */
async function onlyReply(
  definition: UnaryResponseDefinition | undefined,
  requests: Requests,
  context: HandlerContext,
) {
  const requestInfo = requestInfoOf(requests, context)
  if (!definition) return { payload: { requestInfo } }
  addMetadata(definition, context)
  await delay(definition, context)
  const { response } = definition
  if (response.case === 'error') throw failure(response.value, requestInfo)
  return { payload: { requestInfo, ...(response.value && { data: response.value }) } }
}

/** What a stream has still to say, and the error that is to end it. */
async function* replies(
  definition: StreamResponseDefinition | undefined,
  requests: Requests,
  context: HandlerContext,
  from = 0,
) {
  if (!definition) return
  const { responseData, error } = definition
  let unanswered = requests
  for (let index = from; index < responseData.length; index += 1) {
    yield await reply(definition, index, unanswered, context)
    unanswered = []
  }
  if (!error) return
  throw failure(error, responseData.length > 0 ? undefined : requestInfoOf(requests, context))
}

/** The first repeats everything, those after it only what came since. */
async function reply(
  definition: StreamResponseDefinition,
  index: number,
  requests: Requests,
  context: HandlerContext,
) {
  const data = definition.responseData[index] ?? new Uint8Array()
  const requestInfo =
    index === 0 ? requestInfoOf(requests, context) : { requests: packed(requests, context) }
  await delay(definition, context)
  return { payload: index > 0 && requests.length === 0 ? { data } : { data, requestInfo } }
}

async function delay(
  { responseDelayMs }: StreamResponseDefinition | UnaryResponseDefinition,
  { signal }: HandlerContext,
): Promise<void> {
  if (responseDelayMs > 0) await wait(responseDelayMs, undefined, { signal })
}

function addMetadata(
  definition: StreamResponseDefinition | UnaryResponseDefinition | undefined,
  { responseHeader, responseTrailer }: HandlerContext,
): void {
  addHeaders(responseHeader, definition?.responseHeaders ?? [])
  addHeaders(responseTrailer, definition?.responseTrailers ?? [])
}

function addHeaders(headers: Headers, added: readonly Header[]): void {
  for (const { name, value } of added) for (const one of value) headers.append(name, one)
}

function failure({ code, message, details }: ErrorDefinition, info?: RequestInfo): ConnectError {
  // The suite numbers codes as Connect does.
  const error = new ConnectError(message ?? '', Number(code))
  error.details = details.map(({ typeUrl, value }) => ({
    type: typeUrl.slice(typeUrl.lastIndexOf('/') + 1),
    value,
  }))
  if (info) error.details.push({ desc: ConformancePayload_RequestInfoSchema, value: info })
  return error
}

function requestInfoOf(requests: Requests, context: HandlerContext): RequestInfo {
  const timeoutMs = context.timeoutMs()
  const isGet = context.requestMethod === 'GET'
  return create(ConformancePayload_RequestInfoSchema, {
    requestHeaders: headersOf(context.requestHeader),
    requests: packed(requests, context),
    ...(timeoutMs !== undefined && { timeoutMs: BigInt(timeoutMs) }),
    ...(isGet && { connectGetInfo: { queryParams: headersOf(new URL(context.url).searchParams) } }),
  })
}

function headersOf(pairs: Iterable<[name: string, value: string]>) {
  return Array.from(pairs, ([name, value]) => ({ name, value: [value] }))
}

function packed(requests: Requests, { method }: HandlerContext) {
  return requests.map((request) => anyPack(method.input, request))
}
