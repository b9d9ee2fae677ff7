/** What is legal at a glance is legal by the library, whatever comes; and the requests of bids are seen through. */
import { create, type DescMessage, type Message, type MessageInitShape } from '@bufbuild/protobuf'
import { createValidator } from '@bufbuild/protovalidate'
import { createRegistry } from '@bufbuild/protobuf'
import { scalarZeroValue } from '@bufbuild/protobuf/reflect'
import { FeatureSet_FieldPresence } from '@bufbuild/protobuf/wkt'
import {
  BidService,
  PlaceBidRequestSchema,
  file_bids_v1_bid_service,
} from '@bidmesh/gen/bids/v1/bid_service_pb.ts'
import {
  file_live_v1_live_service,
  WatchItemRequestSchema,
} from '@bidmesh/gen/live/v1/live_service_pb.ts'
import { file_rules_v1_rules } from '@bidmesh/gen/rules/v1/rules_pb.ts'
import { file_userstats_v1_user_stats_service } from '@bidmesh/gen/userstats/v1/user_stats_service_pb.ts'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { glanceAt } from './rules-at-a-glance.ts'

const validator = createValidator({
  registry: createRegistry(file_rules_v1_rules),
  regexMatch: (pattern, text) => new RegExp(pattern, 'u').test(text),
})

const schemas = [
  file_bids_v1_bid_service,
  file_live_v1_live_service,
  file_userstats_v1_user_stats_service,
].flatMap(({ messages }) => messages)

/** Values around what rules tell apart: lengths, bounds, characters that look like nothing. */
const texts = fc.oneof(
  fc.constantFrom('', ' ', 'a b', 'ä', '\u200b', '0193a1b2-0000-7000-8000-000000000001', 'USD'),
  fc.string({ unit: 'binary', maxLength: 140 }),
  fc.string({ unit: 'grapheme-ascii', maxLength: 140 }),
  fc.uuid(),
)
const numbers = fc.oneof(
  fc.bigInt({ min: -3n, max: 3n }),
  fc.bigInt({ min: 10n ** 15n - 2n, max: 10n ** 15n + 2n }),
)

function messagesOf(schema: DescMessage): fc.Arbitrary<Message> {
  const values = schema.fields.flatMap((field): [string, fc.Arbitrary<unknown>][] => {
    if (field.fieldKind === 'enum') return [[field.localName, fc.integer({ min: -1, max: 9 })]]
    if (field.fieldKind !== 'scalar') return []
    const isOptional = field.presence === FeatureSet_FieldPresence.EXPLICIT
    const maybe = (value: fc.Arbitrary<unknown>) =>
      isOptional ? fc.option(value, { nil: undefined }) : value
    const kind = typeof scalarZeroValue(field.scalar, false)
    if (kind === 'string') return [[field.localName, maybe(texts)]]
    if (kind === 'bigint') return [[field.localName, maybe(numbers)]]
    return []
  })
  return fc.record(Object.fromEntries(values)).map((value) => create(schema, value))
}

test('whatever is legal at a glance is legal', () => {
  let seenThrough = 0
  for (const schema of schemas) {
    const glance = glanceAt(schema)
    if (!glance) continue
    fc.assert(
      fc.property(messagesOf(schema), (message) => {
        if (!glance(message)) return
        seenThrough += 1
        expect(validator.validate(schema, message).kind).toBe('valid')
      }),
      { numRuns: 300 },
    )
  }
  expect(seenThrough).toBeGreaterThan(300)
})

test('the usual bid is seen through, and what is not as usual is not', () => {
  const glance = glanceAt(PlaceBidRequestSchema)
  const usual = { itemId: '0193a1b2-0000-7000-8000-000000000001', userId: 'anna', amount: 100n }
  const seen = (changes: object) =>
    glance?.(create(PlaceBidRequestSchema, { ...usual, ...changes }))
  expect(seen({})).toBe(true)
  expect(seen({ idempotencyKey: 'k-1' })).toBe(true)
  for (const changes of [
    { itemId: 'x' },
    { userId: 'a\u200bb' },
    { userId: 'x'.repeat(129) },
    { amount: 0n },
    { amount: 10n ** 15n + 1n },
    { idempotencyKey: 'k'.repeat(65) },
  ]) {
    expect(seen(changes), JSON.stringify(Object.keys(changes))).toBe(false)
  }
})

test('so is the usual viewer, who has seen bids or none', () => {
  const glance = glanceAt(WatchItemRequestSchema)
  const itemId = '0193a1b2-0000-7000-8000-000000000001'
  const seen = (request: MessageInitShape<typeof WatchItemRequestSchema>) =>
    glance?.(create(WatchItemRequestSchema, request))
  expect(seen({ itemId })).toBe(true)
  expect(seen({ itemId, userId: 'anna', afterSequence: 0n })).toBe(true)
  expect(seen({ itemId, afterSequence: -1n })).toBe(false)
})

test('requests with messages in them, or with rules of another kind, are left to the library', () => {
  expect(glanceAt(BidService.method.createItem.input)).toBeUndefined()
})
