/** How large a legal request can be, by its rules, so that no limit refuses what the rules allow. */
import {
  type DescField,
  type DescMessage,
  getOption,
  hasOption,
  ScalarType,
} from '@bufbuild/protobuf'
import {
  field as rulesOf,
  type FieldRules,
} from '@bufbuild/protovalidate/gen/buf/validate/validate_pb.js'

/** A character beyond 16 bits as two escapes, `\ud83d\ude00`: what a JSON client may make of an emoji. */
const CHARACTER_BYTES = 12
/** Numbers, names of enums, times: as text, with quotes and room to spare. */
const VALUE_BYTES = 64
/** For text without a rule of its length; ids have a format instead. */
const TEXT_CHARACTERS = 64
const LIMIT_STEP_BYTES = 64 * 1024

/**
 * A limit for messages of this kind, in steps of 64 KiB: the largest legal one fits in its most verbose
 * encoding, JSON with every character escaped. An item: 10 pictures of 2,048 characters are 245,760 bytes, a
 * description of 10,000 is 120,000, everything else 6,000: 384 KiB. Everything small: 64 KiB.
 */
export function messageLimitBytes(schema: DescMessage): number {
  return Math.ceil(messageBytes(schema) / LIMIT_STEP_BYTES) * LIMIT_STEP_BYTES
}

function messageBytes(schema: DescMessage, within: readonly DescMessage[] = []): number {
  if (schema.typeName.startsWith('google.protobuf.')) return VALUE_BYTES
  // A message within itself has no largest one; ours have none.
  if (within.includes(schema)) throw new Error(`${schema.typeName} has no size limit`)
  const inner = [...within, schema]
  return schema.fields.reduce((sum, one) => sum + one.name.length + 4 + fieldBytes(one, inner), 2)
}

function fieldBytes(one: DescField, within: readonly DescMessage[]): number {
  const rules = hasOption(one, rulesOf) ? getOption(one, rulesOf) : undefined
  if (one.fieldKind !== 'list') return valueBytes(one, rules, within)
  const repeated = rules?.type.case === 'repeated' ? rules.type.value : undefined
  return Number(repeated?.maxItems ?? 0n) * (1 + valueBytes(one, repeated?.items, within))
}

function valueBytes(
  one: DescField,
  rules: FieldRules | undefined,
  within: readonly DescMessage[],
): number {
  if (one.message) return messageBytes(one.message, within)
  if (one.scalar !== ScalarType.STRING) return VALUE_BYTES
  const text = rules?.type.case === 'string' ? rules.type.value : undefined
  // Ids are ASCII, which no client escapes.
  if (text?.wellKnown.case === 'uuid') return VALUE_BYTES
  return 2 + CHARACTER_BYTES * Number(text?.maxLen || TEXT_CHARACTERS)
}
