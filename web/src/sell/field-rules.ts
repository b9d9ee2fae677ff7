/**
 * The rules of the protos, held against a request before it is sent, in words that belong to a field. What the
 * server refuses for the same rules is read the same way, so that nobody learns two languages of mistakes.
 */
import { createRegistry, type DescMessage, type MessageShape } from '@bufbuild/protobuf'
import type { Path } from '@bufbuild/protobuf/reflect'
import { createValidator, pathFromViolationProto } from '@bufbuild/protovalidate'
import { ViolationsSchema } from '@bufbuild/protovalidate/gen/buf/validate/validate_pb.js'
import { file_rules_v1_rules } from '@bidmesh/gen/rules/v1/rules_pb.ts'
import { ConnectError } from '@connectrpc/connect'
import type { Faults } from './item-draft.ts'

/** Knows our own rules too, and leaves patterns to the browser, as the server does to its runtime. */
export const validator = createValidator({
  registry: createRegistry(file_rules_v1_rules),
  regexMatch: (pattern, text) => new RegExp(pattern, 'u').test(text),
})

type Broken = { field: Path; ruleId: string; message: string }

/** Field to words, e.g. `images[2]`, `softClose.window`; empty for a valid request. */
export function brokenRules<Desc extends DescMessage>(
  schema: Desc,
  request: MessageShape<Desc>,
): Faults {
  const result = validator.validate(schema, request)
  // A rule that cannot be checked here is left to the server.
  return wordsByField(result.violations ?? [])
}

/** The same of a server's rejection; empty when it says nothing of fields. */
export function brokenRulesOf(schema: DescMessage, error: unknown): Faults {
  const violations = ConnectError.from(error)
    .findDetails(ViolationsSchema)
    .flatMap((detail) => detail.violations)
  return wordsByField(
    violations.flatMap(({ field, ruleId, message }) =>
      field ? [{ field: pathFromViolationProto(schema, field), ruleId, message }] : [],
    ),
  )
}

function wordsByField(violations: readonly Broken[]): Faults {
  const faults = new Map<string, string>()
  for (const violation of violations) {
    const field = fieldName(violation.field)
    // The first rule a field breaks is enough to begin with.
    if (!faults.has(field)) faults.set(field, wordsFor(field, violation))
  }
  return faults
}

/** As the generated code has it: `softClose.window`, not `soft_close.window`. */
function fieldName(path: Path): string {
  let name = ''
  for (const step of path) {
    if (step.kind === 'list_sub') name += `[${step.index}]`
    else if (step.kind === 'field') name += `${name === '' ? '' : '.'}${step.localName}`
  }
  return name
}

function wordsFor(field: string, { ruleId, message }: Broken): string {
  const [top = field] = field.split('[')
  return special[`${top} ${ruleId}`] ?? special[ruleId] ?? general(message)
}

/** Where the rule's own message would help nobody. Amounts are in minor units there: not in what people type. */
const special: Readonly<Record<string, string>> = {
  'title string.min_len': 'Enter a title.',
  'title string.visible': 'Enter a title.',
  'endAt required': 'Choose an end time.',
  'images string.picture': 'A URL starts with http:// or https:// and has no spaces.',
  'images repeated.max_items': 'Ten pictures at most.',
  'startPrice int64.gte_lte': 'This amount is out of range.',
  'minIncrement int64.gte_lte': 'This amount is out of range.',
  'softClose.window duration.gte_lte': 'Between 1 second and 3600 seconds.',
  'softClose.extension duration.gte_lte': 'Between 1 second and 3600 seconds.',
  'softClose.maxExtensions int32.gte_lte': 'Between 0 and 1000.',
  'softClose.maxTotal duration.gte_lte': 'Between 1 minute and 7 days.',
}

/** "must be at most 200 characters" → "Must be at most 200 characters." */
function general(message: string): string {
  return `${message.charAt(0).toUpperCase()}${message.slice(1)}.`
}
