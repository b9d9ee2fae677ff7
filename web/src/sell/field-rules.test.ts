import { create } from '@bufbuild/protobuf'
import { violationsToProto } from '@bufbuild/protovalidate'
import { Code, ConnectError } from '@connectrpc/connect'
import { describe, expect, it } from 'vitest'
import { CreateItemRequestSchema } from '@bidmesh/gen/bids/v1/bid_service_pb.ts'
import { brokenRules, brokenRulesOf, validator } from './field-rules.ts'

const request = create(CreateItemRequestSchema, { images: ['https://x', 'x'], startPrice: 1n })

describe('field rules', () => {
  it('says of a rejection by the server what it would have said itself', () => {
    const { violations = [] } = validator.validate(CreateItemRequestSchema, request)
    const [value, desc] = violationsToProto(violations)
    const rejection = new ConnectError('invalid', Code.InvalidArgument, undefined, [
      { desc, value },
    ])
    const words = brokenRulesOf(CreateItemRequestSchema, rejection)
    expect([...words.keys()]).toEqual(['title', 'endAt', 'images[1]'])
    expect(words).toEqual(brokenRules(CreateItemRequestSchema, request))
  })

  it('has nothing to say of other errors', () => {
    expect(brokenRulesOf(CreateItemRequestSchema, new Error('x')).size).toBe(0)
  })
})
