import { create, fromBinary } from '@bufbuild/protobuf'
import { timestampFromMs } from '@bufbuild/protobuf/wkt'
import {
  type WatchItemResponse,
  WatchItemResponseSchema,
} from '@bidmesh/gen/live/v1/live_service_pb.ts'
import { describe, expect, it } from 'vitest'
import { burstOf, itemFrame } from './frame.ts'

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
  const burst = burstOf([itemFrame(placed, 'ann'), itemFrame(next, 'bob', 'ann')])

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

  it('is put together once', () => {
    expect(burst.bytesFor('json', 'cid')).toBe(burst.bytesFor('json', ''))
    expect(burst.bytesFor('json', 'ann')).toBe(burst.bytesFor('json', 'ann'))
  })
})
