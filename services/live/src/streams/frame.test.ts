import { create, fromBinary, toJson } from '@bufbuild/protobuf'
import { timestampFromMs } from '@bufbuild/protobuf/wkt'
import { ItemSchema } from '@bidmesh/gen/bids/v1/bid_service_pb.ts'
import {
  type WatchItemResponse,
  WatchItemResponseSchema,
  WatchItemsResponseSchema,
} from '@bidmesh/gen/live/v1/live_service_pb.ts'
import { describe, expect, it } from 'vitest'
import { burstOf, itemFrame, itemsFrame } from './frame.ts'
import { listEntry } from '../lists/list-entry.ts'

const placed = create(WatchItemResponseSchema, {
  sequence: 7n,
  version: 9n,
  serverTime: timestampFromMs(1_000),
  event: { case: 'bidPlaced', value: { minimumNextBid: 100n } },
})

/** Takes chunks and envelopes off again, strictly. */
function unwrap(bytes: Buffer): Buffer[] {
  const messages: Buffer[] = []
  let rest = bytes
  while (rest.length > 0) {
    const headEnd = rest.indexOf('\r\n')
    const length = Number.parseInt(rest.toString('latin1', 0, headEnd), 16)
    const data = rest.subarray(headEnd + 2, headEnd + 2 + length)
    expect(rest.toString('latin1', headEnd + 2 + length, headEnd + 4 + length)).toBe('\r\n')
    messages.push(data)
    rest = rest.subarray(headEnd + 4 + length)
  }
  return messages
}

function messagesOf(bytes: Buffer): WatchItemResponse[] {
  return unwrap(bytes).map((data) => {
    expect(data.readUInt8(0)).toBe(0)
    expect(data.readUInt32BE(1)).toBe(data.length - 5)
    return fromBinary(WatchItemResponseSchema, data.subarray(5))
  })
}

describe('an encoded message', () => {
  const frame = itemFrame(placed, 'ann', 'bob')

  it('is the same bytes for all whom it does not concern', () => {
    const bytes = frame.bytesFor('proto', '')
    expect(frame.bytesFor('proto', 'cid')).toBe(bytes)
    expect(messagesOf(bytes)).toEqual([placed])
  })

  it('tells the leader and whoever lost the lead, and nobody else', () => {
    const flags = (userId: string) => {
      const [message] = messagesOf(frame.bytesFor('proto', userId))
      return [message?.youAreWinning, message?.youWereOutbid]
    }
    expect(flags('ann')).toEqual([true, false])
    expect(flags('bob')).toEqual([false, true])
    expect(flags('')).toEqual([false, false])
    expect(frame.bytesFor('proto', 'ann')).toBe(frame.bytesFor('proto', 'ann'))
  })

  it('writes zeros out in JSON, and the sequence as the id of an event', () => {
    const [data] = unwrap(frame.bytesFor('json', ''))
    expect(JSON.parse(data?.toString('utf8', 5) ?? '')).toMatchObject({
      sequence: '7',
      youAreWinning: false,
      bidPlaced: { minimumNextBid: '100', extended: false },
    })
    const [event] = unwrap(frame.bytesFor('sse', ''))
    expect(event?.toString()).toMatch(/^id: 7\ndata: \{"sequence":"7".*\}\n\n$/)
  })
})

describe('a burst', () => {
  const next = { ...placed, sequence: 8n, version: 10n }
  const burst = burstOf([itemFrame(placed, 'ann'), itemFrame(next, 'bob', 'ann')], 9)

  it('has its messages in order, each as its reader is to see it', () => {
    const seen = (userId: string) =>
      messagesOf(burst.bytesFor('proto', userId)).map((message) => [
        message.sequence,
        message.youAreWinning,
        message.youWereOutbid,
      ])
    expect(seen('')).toEqual([
      [7n, false, false],
      [8n, false, false],
    ])
    expect(seen('ann')).toEqual([
      [7n, true, false],
      [8n, false, true],
    ])
  })

  it('is only what its reader has not seen', () => {
    expect([burst.after(9), burst.after(10)]).toEqual([undefined, undefined])
    expect(messagesOf(burst.after(8)?.bytesFor('proto', '') ?? Buffer.alloc(0))).toEqual([next])
    expect(burst.after(8)).toBe(burst.after(8))
    expect([burst.after(7), burst.after(0)]).toEqual([burst, burst])
  })

  it('is put together once', () => {
    expect(burst.bytesFor('json', 'cid')).toBe(burst.bytesFor('json', ''))
    expect(burst.bytesFor('json', 'ann')).toBe(burst.bytesFor('json', 'ann'))
  })
})

it.each([0, 1, 3])('a list of %s items, put together from them, reads as one message', (count) => {
  const entries = Array.from({ length: count }, (_, index) =>
    listEntry(
      create(ItemSchema, { id: `item ${index}`, currentHighestBid: BigInt(index * 1_000) }),
    ),
  )
  const serverTime = timestampFromMs(1_763_717_000_123)
  const frame = itemsFrame(serverTime, entries)
  const expected = create(WatchItemsResponseSchema, {
    serverTime,
    updates: entries.map(({ update }) => update),
  })
  expect(frame.messageFor('')).toEqual(expected)
  const [proto] = unwrap(frame.bytesFor('proto', ''))
  expect(fromBinary(WatchItemsResponseSchema, proto?.subarray(5) ?? new Uint8Array())).toEqual(
    expected,
  )
  const [json] = unwrap(frame.bytesFor('json', ''))
  const written: unknown = JSON.parse(json?.toString('utf8', 5) ?? '')
  expect(written).toEqual(toJson(WatchItemsResponseSchema, expected, { alwaysEmitImplicit: true }))
})
