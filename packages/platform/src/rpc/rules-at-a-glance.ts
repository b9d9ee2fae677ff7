/**
 * Requests that need no second look: plain ASCII where the field rules ask for text of some kind, ids that are UUIDs,
 * numbers within their bounds. Only the library says that a request is *not* legal, and in which words; of what this
 * module does not know (another rule, a nested message, a letter beyond ASCII) it is asked. A bid is seen through in
 * 0.2 µs, for which the library takes 8.6.
 */
import {
  type DescField,
  type DescMessage,
  getOption,
  hasOption,
  isFieldSet,
  type Message,
} from '@bufbuild/protobuf'
import { FeatureSet_FieldPresence } from '@bufbuild/protobuf/wkt'
import {
  field as rulesOf,
  type FieldRules,
  Ignore,
  type Int64Rules,
  Int64RulesSchema,
  message as messageRulesOf,
  type StringRules,
  StringRulesSchema,
} from '@bufbuild/protovalidate/gen/buf/validate/validate_pb.js'
import { one_line, printable_id, text } from '@bidmesh/gen/rules/v1/rules_pb.ts'

type Glance = (value: unknown) => boolean

/** No spaces either: what each of {@link textRules} allows. */
const plain = /^[!-~]*$/
const uuid = /^[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$/

const textRules: ReadonlySet<number> = new Set(
  [printable_id, one_line, text].map(({ number }) => number),
)
const stringRules: ReadonlySet<string> = new Set(['min_len', 'max_len', 'uuid'])
const numberRules: ReadonlySet<string> = new Set(['gte', 'lte'])

/** True for a message that is legal beyond doubt; undefined when messages of this kind can never be that. */
export function glanceAt(schema: DescMessage): ((message: Message) => boolean) | undefined {
  if (hasOption(schema, messageRulesOf) || schema.oneofs.length > 0) return undefined
  const glances: [name: string, glance: Glance][] = []
  for (const field of schema.fields) {
    const glance = glanceAtField(field)
    if (!glance) return undefined
    glances.push([field.localName, glance])
  }
  return (message) => glances.every(([name, glance]) => glance(Reflect.get(message, name)))
}

function glanceAtField(field: DescField): Glance | undefined {
  if (field.fieldKind !== 'scalar' && field.fieldKind !== 'enum') return undefined
  if (!hasOption(field, rulesOf)) return () => true
  const rules = getOption(field, rulesOf)
  const glance = isBare(rules) ? glanceAtValue(rules) : undefined
  // Rules of an optional field are for those who set it.
  if (!glance || field.presence !== FeatureSet_FieldPresence.EXPLICIT) return glance
  return (value) => value === undefined || glance(value)
}

function glanceAtValue({ type }: FieldRules): Glance | undefined {
  if (type.case === 'string') return glanceAtText(type.value)
  if (type.case === 'int64') return glanceAtNumber(type.value)
  return undefined
}

/** Nothing but the rules of its type. */
function isBare({ cel, celExpression, required, ignore, $unknown = [] }: FieldRules): boolean {
  const more = cel.length + celExpression.length + $unknown.length
  return more === 0 && !required && ignore === Ignore.UNSPECIFIED
}

function glanceAtText(rules: StringRules): Glance | undefined {
  const set = StringRulesSchema.fields.filter((field) => isFieldSet(rules, field))
  const kinds = rules.$unknown ?? []
  if (!set.every(({ name }) => stringRules.has(name))) return undefined
  if (!kinds.every(({ no }) => textRules.has(no))) return undefined
  const isUuid = rules.wellKnown.case === 'uuid' && rules.wellKnown.value
  const pattern = isUuid ? uuid : plain
  const least = Number(rules.minLen)
  const most = isFieldSet(rules, StringRulesSchema.field.maxLen) ? Number(rules.maxLen) : Infinity
  return (value) =>
    typeof value === 'string' &&
    value.length >= least &&
    value.length <= most &&
    pattern.test(value)
}

function glanceAtNumber(rules: Int64Rules): Glance | undefined {
  const { greaterThan, lessThan } = rules
  const set = Int64RulesSchema.fields.filter((field) => isFieldSet(rules, field))
  if (!set.every(({ name }) => numberRules.has(name))) return undefined
  if ((rules.$unknown ?? []).length > 0) return undefined
  const least = greaterThan.case === 'gte' ? greaterThan.value : -Infinity
  const most = lessThan.case === 'lte' ? lessThan.value : Infinity
  return (value) => typeof value === 'bigint' && value >= least && value <= most
}
