/**
 * Calls by the conventions of OpenTelemetry for RPC: names, attributes and buckets of spans and durations, of servers and of
 * clients alike. https://opentelemetry.io/docs/specs/semconv/rpc/
 */
import type { IncomingHttpHeaders } from 'node:http'
import {
  type Attributes,
  context,
  type Histogram,
  metrics,
  propagation,
  SpanKind,
  SpanStatusCode,
  type TextMapGetter,
  type TextMapSetter,
  trace,
} from '@opentelemetry/api'
import {
  ATTR_ERROR_TYPE,
  ATTR_RPC_METHOD,
  ATTR_RPC_STATUS_CODE,
  ATTR_RPC_SYSTEM_NAME,
  ATTR_SERVER_ADDRESS,
  ATTR_SERVER_PORT,
  METRIC_RPC_CLIENT_CALL_DURATION,
  METRIC_RPC_SERVER_CALL_DURATION,
} from '@opentelemetry/semantic-conventions'
import type { DescMethod } from '@bufbuild/protobuf'
import { ConnectError, type Interceptor, type StreamResponse } from '@connectrpc/connect'
import { codeToString } from '@connectrpc/connect/protocol-connect'

/** Upper bounds in seconds, as the conventions advise. */
const BUCKETS_S = [0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10]

/** `package.Service/Method`. */
export function procedureName({ parent, name }: DescMethod): string {
  return `${parent.typeName}/${name}`
}

/** To be made when telemetry has been started. */
export function serverCallDuration(): Histogram {
  return metrics.getMeter('bidmesh').createHistogram(METRIC_RPC_SERVER_CALL_DURATION, {
    unit: 's',
    description: 'Duration of incoming calls',
    advice: { explicitBucketBoundaries: BUCKETS_S },
  })
}

/**
 * Of a call that is over.
 *
 * @param code `ok`, or the name of a code of Connect
 * @param isFault an error by the conventions: of a server's span only what is its own fault
 */
export function callAttributes(procedure: string, code: string, isFault: boolean): Attributes {
  return {
    [ATTR_RPC_SYSTEM_NAME]: 'connectrpc',
    [ATTR_RPC_METHOD]: procedure,
    [ATTR_RPC_STATUS_CODE]: code,
    ...(isFault && { [ATTR_ERROR_TYPE]: code }),
  }
}

/** Of requests as Node has them. */
export const incomingHeaders: TextMapGetter<IncomingHttpHeaders> = {
  keys: (headers) => Object.keys(headers),
  get: (headers, key) => headers[key],
}

const headerSetter: TextMapSetter<Headers> = {
  set: (headers, name, value) => headers.set(name, value),
}

/** Around each try of a call at one address: a span, a duration, and the trace that goes with the request. */
export function tellOfCalls(address: { host: string; port: number }): Interceptor {
  const tracer = trace.getTracer('bidmesh')
  const duration = metrics.getMeter('bidmesh').createHistogram(METRIC_RPC_CLIENT_CALL_DURATION, {
    unit: 's',
    description: 'Duration of outgoing calls, each try at one address',
    advice: { explicitBucketBoundaries: BUCKETS_S },
  })
  const where = { [ATTR_SERVER_ADDRESS]: address.host, [ATTR_SERVER_PORT]: address.port }
  return (next) => async (request) => {
    const procedure = procedureName(request.method)
    const startedMs = performance.now()
    const span = tracer.startSpan(procedure, { kind: SpanKind.CLIENT })
    const within = trace.setSpan(context.active(), span)
    propagation.inject(within, request.header, headerSetter)
    let isOver = false
    const end = (code: string): void => {
      if (isOver) return
      isOver = true
      const attributes = { ...where, ...callAttributes(procedure, code, code !== 'ok') }
      duration.record((performance.now() - startedMs) / 1_000, attributes)
      span.setAttributes(attributes)
      if (code !== 'ok') span.setStatus({ code: SpanStatusCode.ERROR })
      span.end()
    }
    try {
      const response = await context.with(within, () => next(request))
      if (response.stream) return { ...response, message: untilEnd(response, end) }
      end('ok')
      return response
    } catch (error) {
      end(codeOf(error))
      throw error
    }
  }
}

/** A stream's call lasts until its last message, or until nobody reads on. */
async function* untilEnd({ message }: StreamResponse, end: (code: string) => void) {
  try {
    yield* message
    end('ok')
  } catch (error) {
    end(codeOf(error))
    throw error
  } finally {
    end('canceled')
  }
}

function codeOf(error: unknown): string {
  return codeToString(ConnectError.from(error).code)
}
