/**
 * Which calls may be sent twice, as their descriptors say: those without side effects, and those with an idempotency
 * key, under which the server does a thing once.
 */
import {
  clone,
  create,
  type DescMessage,
  type DescMethodUnary,
  type MessageInitShape,
  type MessageShape,
} from '@bufbuild/protobuf'
import { MethodOptions_IdempotencyLevel as Level } from '@bufbuild/protobuf/wkt'

const KEY_FIELD = 'idempotency_key'

export type SafeCall<I extends DescMessage> = {
  /** With a key of its own when there is a field for one and the caller gave none. */
  message: MessageShape<I>
  /** The very same message may be sent again. */
  isSafe: boolean
}

export function safeCall<I extends DescMessage, O extends DescMessage>(
  method: DescMethodUnary<I, O>,
  init: MessageInitShape<I>,
): SafeCall<I> {
  const given = create(method.input, init)
  const field = method.input.fields.find(({ name }) => name === KEY_FIELD)
  if (!field) return { message: given, isSafe: method.idempotency !== Level.IDEMPOTENCY_UNKNOWN }
  if (Reflect.get(given, field.localName) !== '') return { message: given, isSafe: true }
  const message = clone(method.input, given)
  Reflect.set(message, field.localName, newKey())
  return { message, isSafe: true }
}

/** An idempotency key of 128 random bits, for requests that their caller may repeat. `randomUUID` is there only on pages that came safely; over plain http we must do without. */
export function newKey(): string {
  const words = crypto.getRandomValues(new Uint32Array(4))
  return [...words].map((word) => word.toString(16).padStart(8, '0')).join('')
}
