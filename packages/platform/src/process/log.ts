/**
 * Logs: one JSON object per line on stdout, each with the ids of the trace it belongs to. Passwords do
 * not get out: known keys are redacted, and a password inside any URL is masked in the finished line.
 */
import { trace, isSpanContextValid } from '@opentelemetry/api'
import { pino } from 'pino'
import type { DestinationStream, Logger } from 'pino'
import type { LogLevel } from './config.ts'

export type Log = Logger

export type LogOptions = {
  /** Name of the process or component, in every line. */
  name: string
  level: LogLevel
  /** Where lines go; stdout when left out. */
  destination?: DestinationStream
}

const secretKeys = ['password', 'authorization', 'cookie', 'token', 'secret']

/** `scheme://user:` then the password, up to the `@`. */
const passwordInUrl = /(:\/\/[^\s:/@"']*:)[^\s/@"']+@/g

/** Makes a log. Errors belong under the key `err`: their stack and causes are written out. */
export function createLog(options: LogOptions): Log {
  const settings = {
    name: options.name,
    level: options.level,
    timestamp: pino.stdTimeFunctions.isoTime,
    formatters: { level: (label: string) => ({ level: label }) },
    mixin: traceIds,
    redact: secretKeys.flatMap((key) => [key, `*.${key}`, `*.*.${key}`]),
    hooks: { streamWrite: (line: string) => line.replace(passwordInUrl, '$1***@') },
  }
  // Synchronous writes: the line that says why a process ends must be out before it has ended.
  return pino(settings, options.destination ?? pino.destination({ fd: 1, sync: true }))
}

function traceIds(): object {
  const span = trace.getActiveSpan()?.spanContext()
  if (!span || !isSpanContextValid(span)) return {}
  return { trace_id: span.traceId, span_id: span.spanId }
}
