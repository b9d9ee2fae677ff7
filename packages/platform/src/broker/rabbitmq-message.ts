/**
 * An event as an AMQP message and back. CloudEvents attributes travel as headers with the prefix of the
 * CloudEvents AMQP binding (`cloudEvents_`), so that a consumer outside Bidmesh needs no knowledge of it;
 * everything else in an event's headers (`traceparent` …) travels under its own name.
 */
import type { ConsumeMessage, Options } from 'amqplib'
import type { IncomingEvent, OutgoingEvent } from './broker.ts'
import { messageOf } from '../process/errors.ts'

/** Longest error text in a dead letter: message headers must fit into one AMQP frame (128 KiB). */
const ERROR_TEXT_MAX_LENGTH = 2_000

const ATTRIBUTE = 'cloudEvents_'
const CONTENT_TYPE = 'application/x-protobuf'

/** CloudEvents `source`: the system a fact comes from, whichever of its processes relayed it. */
const SOURCE = '/bidmesh'

/** One message for one exchange. */
export type Letter = {
  id: string
  routingKey: string
  content: Buffer
  options: Options.Publish
}

/** The message of an event: persistent, and returned by RabbitMQ when no queue is bound for it. */
export function toLetter(event: OutgoingEvent): Letter {
  return {
    id: event.id,
    routingKey: event.type,
    content: asBuffer(event.payload),
    options: {
      persistent: true,
      mandatory: true,
      messageId: event.id,
      type: event.type,
      // AMQP counts whole seconds; the CloudEvents time has the rest.
      timestamp: Math.floor(event.occurredAt.getTime() / 1_000),
      contentType: CONTENT_TYPE,
      headers: {
        ...event.headers,
        [`${ATTRIBUTE}specversion`]: '1.0',
        [`${ATTRIBUTE}id`]: event.id,
        [`${ATTRIBUTE}source`]: SOURCE,
        [`${ATTRIBUTE}type`]: event.type,
        [`${ATTRIBUTE}subject`]: event.key,
        [`${ATTRIBUTE}time`]: event.occurredAt.toISOString(),
      },
    },
  }
}

/**
 * The event in a message from anybody. What a foreign message lacks is empty (`id`, `key`) or the AMQP
 * timestamp: whether that can be used is for the handler to say, which dead-letters it if not.
 */
export function toEvent(message: ConsumeMessage): IncomingEvent {
  const { properties, fields, content } = message
  const headers: Record<string, string> = {}
  const attributes: Record<string, string> = {}
  for (const [name, value] of Object.entries<unknown>(properties.headers ?? {})) {
    if (typeof value !== 'string') continue
    if (name.startsWith(ATTRIBUTE)) attributes[name.slice(ATTRIBUTE.length)] = value
    else headers[name] = value
  }
  const seconds = typeof properties.timestamp === 'number' ? properties.timestamp : 0
  const time = Date.parse(attributes['time'] ?? '')
  return {
    id: textOr(properties.messageId, attributes['id'] ?? ''),
    type: textOr(properties.type, fields.routingKey),
    key: attributes['subject'] ?? '',
    payload: content,
    headers,
    occurredAt: new Date(Number.isNaN(time) ? seconds * 1_000 : time),
    redelivered: fields.redelivered,
  }
}

/** The original message, byte for byte, with why and from where it was put aside. */
export function toDeadLetter(message: ConsumeMessage, queue: string, error: unknown): Letter {
  const { properties, fields, content } = message
  const headers: Record<string, unknown> = {
    ...properties.headers,
    'x-error': messageOf(error).slice(0, ERROR_TEXT_MAX_LENGTH),
    'x-original-queue': queue,
    'x-original-routing-key': fields.routingKey,
  }
  const kept = Object.entries({
    messageId: textOr(properties.messageId, ''),
    type: textOr(properties.type, ''),
    contentType: textOr(properties.contentType, ''),
  }).filter(([, value]) => value !== '')
  return {
    id: textOr(properties.messageId, ''),
    routingKey: queue,
    content,
    options: { ...Object.fromEntries(kept), persistent: true, mandatory: true, headers },
  }
}

function textOr(value: unknown, otherwise: string): string {
  return typeof value === 'string' && value !== '' ? value : otherwise
}

/** The same bytes: amqplib takes nothing but a Buffer. */
function asBuffer(bytes: Uint8Array): Buffer {
  if (Buffer.isBuffer(bytes)) return bytes
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
}
