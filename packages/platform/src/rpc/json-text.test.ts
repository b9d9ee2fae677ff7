/** What is written is what the library writes, byte for byte, of random messages of every kind that is answered. */
import {
  create,
  type DescField,
  type DescMessage,
  type Message,
  ScalarType,
  toJsonString,
} from '@bufbuild/protobuf'
import { AnySchema, DurationSchema, TimestampSchema } from '@bufbuild/protobuf/wkt'
import { file_bids_v1_bid_service } from '@bidmesh/gen/bids/v1/bid_service_pb.ts'
import { Health } from '@bidmesh/gen/grpc/health/v1/health_pb.ts'
import { file_bids_v1_item_source_service } from '@bidmesh/gen/bids/v1/item_source_service_pb.ts'
import { file_live_v1_live_service } from '@bidmesh/gen/live/v1/live_service_pb.ts'
import { file_userstats_v1_user_stats_service } from '@bidmesh/gen/userstats/v1/user_stats_service_pb.ts'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { jsonWriter } from './json-text.ts'

const options = { alwaysEmitImplicit: true } as const

const outputs = new Map(
  [
    file_bids_v1_bid_service,
    file_bids_v1_item_source_service,
    file_live_v1_live_service,
    file_userstats_v1_user_stats_service,
  ].flatMap(({ services }) =>
    services.flatMap(({ methods }) => methods.map(({ output }) => [output.typeName, output])),
  ),
)

const texts = fc.oneof(
  fc.string({ unit: 'binary' }),
  fc.constantFrom('', '"', '\\', '\u2028', '\ud800'),
)
const longs = fc.oneof(fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }), fc.constant(0n))
const times = fc
  .record({
    seconds: fc.oneof(
      fc.bigInt({ min: -62_135_596_800n, max: 253_402_300_799n }),
      fc.constantFrom(0n, -1n, -62_135_596_800n, 253_402_300_799n),
    ),
    nanos: fc.oneof(
      fc.constantFrom(0, 1, 999_999_999, 1_000, 123_000_000),
      fc.integer({ min: 0, max: 999 }).map((ms) => ms * 1_000_000),
    ),
  })
  .map((value) => create(TimestampSchema, value))

const durations = fc
  .record({
    seconds: fc.bigInt({ min: 0n, max: 10n ** 6n }),
    nanos: fc.constantFrom(0, 1, 500_000_000),
  })
  .map((value) => create(DurationSchema, value))

const scalars = new Map<ScalarType, fc.Arbitrary<unknown>>([
  [ScalarType.STRING, texts],
  [ScalarType.BOOL, fc.boolean()],
  [ScalarType.INT32, fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 })],
  [ScalarType.UINT32, fc.integer({ min: 0, max: 2 ** 32 - 1 })],
  [ScalarType.INT64, longs],
  [ScalarType.DOUBLE, fc.double()],
])

function valueOf(field: DescField): fc.Arbitrary<unknown> | undefined {
  if (field.message) {
    if (field.message.typeName === TimestampSchema.typeName) return times
    if (field.message.typeName === DurationSchema.typeName) return durations
    // Of random bytes the library makes an error.
    if (field.message.typeName === AnySchema.typeName) return undefined
    return messageOf(field.message)
  }
  if (field.enum) return fc.constantFrom(...field.enum.values.map(({ number }) => number), 99)
  return field.scalar && scalars.get(field.scalar)
}

/** Each field set or not; of a oneof, one or none. */
function messageOf(schema: DescMessage): fc.Arbitrary<Message> {
  const plain = schema.fields.filter((field) => !field.oneof && field.fieldKind !== 'map')
  const values = plain.flatMap((field) => {
    const value = valueOf(field)
    if (!value) return []
    const whole = field.fieldKind === 'list' ? fc.array(value, { maxLength: 3 }) : value
    return [[field.localName, fc.option(whole, { nil: undefined })] as const]
  })
  const choices = schema.oneofs.map((oneof) => {
    const some = oneof.fields.map((field) =>
      (valueOf(field) ?? fc.constant(undefined)).map((value) => ({ case: field.localName, value })),
    )
    return [oneof.localName, fc.oneof(fc.constant({ case: undefined }), ...some)] as const
  })
  return fc
    .record(Object.fromEntries([...values, ...choices]))
    .map((value) => create(schema, withoutUndefined(value)))
}

function withoutUndefined(value: object): Record<string, unknown> {
  return Object.fromEntries(Object.entries(value).filter(([, each]) => each !== undefined))
}

describe('as the library writes it', () => {
  for (const [name, schema] of outputs) {
    test(name, () => {
      const write = jsonWriter(schema, options)
      fc.assert(
        fc.property(messageOf(schema), (message) => {
          expect(write(message)).toBe(toJsonString(schema, message, options))
        }),
        { numRuns: 200 },
      )
    })
  }
})

test('what it does not know is left to the library', () => {
  const { output } = Health.method.list
  const answer = create(output, { statuses: { bid: { status: 1 } } })
  expect(jsonWriter(output, options)(answer)).toBe('{"statuses":{"bid":{"status":"SERVING"}}}')
})
