/**
 * Messages as JSON text, by functions made for their kind: what `toJsonString` of the library writes with zeros written
 * out, byte for byte, in a third of its time (a PlaceBidResponse 1.0 µs, not 2.8). Kinds of messages that hold what this
 * module does not know are left to the library.
 */
import {
  type DescEnum,
  type DescField,
  type DescMessage,
  isMessage,
  type JsonWriteOptions,
  type MessageShape,
  ScalarType,
  toJsonString,
} from '@bufbuild/protobuf'
import {
  type Duration,
  DurationSchema,
  FeatureSet_FieldPresence,
  TimestampSchema,
} from '@bufbuild/protobuf/wkt'

/** Other options than this one are for messages that are left to the library. */
export type JsonTextOptions = Partial<JsonWriteOptions> & { alwaysEmitImplicit: true }
type WriteValue = (value: unknown) => string
/** `,"name":value` of a message's field, or nothing. */
type WriteField = (message: object) => string

export function jsonWriter<Desc extends DescMessage>(
  schema: Desc,
  options: JsonTextOptions,
): (message: MessageShape<Desc>) => string {
  return messageWriter(schema, options, []) ?? ((message) => toJsonString(schema, message, options))
}

/** @param within the messages around it: one that holds itself has no end */
function messageWriter(
  schema: DescMessage,
  options: JsonTextOptions,
  within: readonly DescMessage[],
): WriteValue | undefined {
  if (schema.typeName === TimestampSchema.typeName) return timestampWriter(options)
  if (schema.typeName === DurationSchema.typeName) {
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- a field of this kind holds it
    return (value) => toJsonString(DurationSchema, value as Duration, options)
  }
  // Others of Google may have a form of their own.
  if (schema.typeName.startsWith('google.protobuf.') || within.includes(schema)) return undefined
  const fields = schema.fields
    .toSorted((a, b) => a.number - b.number)
    .map((field) => fieldWriter(field, options, [...within, schema]))
  if (!fields.every((write) => write !== undefined)) return undefined
  return (message) => {
    if (typeof message !== 'object' || message === null) throw new Error('not a message')
    let text = ''
    for (const write of fields) text += write(message)
    return `{${text.slice(1)}}`
  }
}

function fieldWriter(
  field: DescField,
  options: JsonTextOptions,
  within: readonly DescMessage[],
): WriteField | undefined {
  const write = valueWriter(field, options, within)
  if (!write) return undefined
  const { localName, oneof, presence } = field
  const key = `,${JSON.stringify(field.jsonName)}:`
  if (field.fieldKind === 'list') {
    return (message) => `${key}[${Array.from(Reflect.get(message, localName), write).join(',')}]`
  }
  if (oneof) {
    return (message) => {
      const { case: set, value } = Reflect.get(message, oneof.localName)
      return set === localName ? key + write(value) : ''
    }
  }
  if (presence === FeatureSet_FieldPresence.IMPLICIT) {
    return (message) => key + write(Reflect.get(message, localName))
  }
  // Of others, what is not set has its zero in the prototype.
  return (message) => {
    const value: unknown = Reflect.get(message, localName)
    return value === undefined || !Object.hasOwn(message, localName) ? '' : key + write(value)
  }
}

/** Of a field, or of one that it repeats. */
function valueWriter(
  field: DescField,
  options: JsonTextOptions,
  within: readonly DescMessage[],
): WriteValue | undefined {
  if (field.fieldKind === 'map') return undefined
  if (field.message) return messageWriter(field.message, options, within)
  if (field.enum) return enumWriter(field.enum)
  return field.scalar && scalarWriters[field.scalar]
}

const asText: WriteValue = (value) => JSON.stringify(value)
/** 64 bits are text, because a number of JavaScript holds 53. */
const asLong: WriteValue = (value) => `"${String(value)}"`

const scalarWriters: Partial<Record<ScalarType, WriteValue>> = {
  [ScalarType.STRING]: asText,
  [ScalarType.BOOL]: String,
  [ScalarType.INT32]: String,
  [ScalarType.UINT32]: String,
  [ScalarType.INT64]: asLong,
  [ScalarType.UINT64]: asLong,
}

function enumWriter({ values, typeName }: DescEnum): WriteValue | undefined {
  if (typeName === 'google.protobuf.NullValue') return undefined
  const names = new Map<unknown, string>(
    values.map(({ number, name }) => [number, JSON.stringify(name)]),
  )
  return (value) => names.get(value) ?? String(value)
}

const MS_PER_SECOND = 1_000
const NANOS_PER_MS = 1_000_000
/** 0001-01-01 and 9999-12-31. */
const SECONDS_LEAST = -62_135_596_800
const SECONDS_MOST = 253_402_300_799

/** Of whole milliseconds, which all of ours are. The second before is remembered: most times of a moment have the same. */
function timestampWriter(options: JsonTextOptions): WriteValue {
  let known = Number.NaN
  let text = ''
  return (value) => {
    if (!isMessage(value, TimestampSchema)) throw new Error('not a time')
    const { seconds, nanos } = value
    const [second, ms] = [Number(seconds), nanos / NANOS_PER_MS]
    const isUsual =
      second >= SECONDS_LEAST && second <= SECONDS_MOST && ms >= 0 && ms < MS_PER_SECOND
    if (!isUsual || !Number.isInteger(ms)) return toJsonString(TimestampSchema, value, options)
    if (second !== known) {
      text = new Date(second * MS_PER_SECOND).toISOString().slice(0, -'.000Z'.length)
      known = second
    }
    return ms === 0 ? `"${text}Z"` : `"${text}.${String(ms).padStart(3, '0')}Z"`
  }
}
