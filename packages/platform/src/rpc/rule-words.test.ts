/** Every rule of the protos says what is wanted in words: none leaves it to the text of an expression. */
import { type DescMessage, getOption, hasOption } from '@bufbuild/protobuf'
import {
  field as rulesOf,
  type FieldRules,
  predefined,
} from '@bufbuild/protovalidate/gen/buf/validate/validate_pb.js'
import { file_bids_v1_bid_service } from '@bidmesh/gen/bids/v1/bid_service_pb.ts'
import { file_live_v1_live_service } from '@bidmesh/gen/live/v1/live_service_pb.ts'
import { file_rules_v1_rules } from '@bidmesh/gen/rules/v1/rules_pb.ts'
import { file_userstats_v1_user_stats_service } from '@bidmesh/gen/userstats/v1/user_stats_service_pb.ts'
import { expect, test } from 'vitest'

const files = [
  file_bids_v1_bid_service,
  file_live_v1_live_service,
  file_userstats_v1_user_stats_service,
]

/** The rules of a field, and of what it repeats. */
function withItems(rules: FieldRules): FieldRules[] {
  const items = rules.type.case === 'repeated' ? rules.type.value.items : undefined
  return items ? [rules, items] : [rules]
}

function rulesIn({ fields, typeName }: DescMessage) {
  return fields
    .filter((field) => hasOption(field, rulesOf))
    .flatMap((field) =>
      withItems(getOption(field, rulesOf)).map((rules) => ({
        name: `${typeName}.${field.name}`,
        rules,
      })),
    )
}

test('no field has a bare pattern, and expressions have words', () => {
  const all = files.flatMap(({ messages }) => messages.flatMap(rulesIn))
  expect(all.length).toBeGreaterThan(50)
  const wordless = all.filter(({ rules: { cel, celExpression, type } }) => {
    const hasPattern = type.case === 'string' && type.value.pattern !== ''
    return (
      hasPattern ||
      celExpression.length > 0 ||
      cel.some((rule) => !rule.message.startsWith('must '))
    )
  })
  expect(wordless.map(({ name }) => name)).toEqual([])
})

test('rules that fields share have words', () => {
  const { extensions } = file_rules_v1_rules
  const words = extensions.flatMap((one) => getOption(one, predefined).cel)
  expect(words.length).toBeGreaterThan(4)
  for (const { message } of words) expect(message).toMatch(/^must [a-z]/)
})
