/** For tests: a stream of WatchItem as the live service writes it. */
import { create, type MessageInitShape } from '@bufbuild/protobuf'
import { timestampFromMs } from '@bufbuild/protobuf/wkt'
import { WatchItemResponseSchema } from '@bidmesh/gen/live/v1/live_service_pb.ts'
import { itemFrame } from '@bidmesh/live/streams/frame.ts'

export const head = Buffer.from(
  'HTTP/1.1 200 OK\r\nContent-Type: application/connect+proto\r\nTransfer-Encoding: chunked\r\n\r\n',
)

export function snapshot(sequence: number): Buffer {
  return bytesOf({ sequence: BigInt(sequence), event: { case: 'snapshot', value: {} } })
}

/** Decided at `decidedMs`. */
export function bid(sequence: number, decidedMs = sequence): Buffer {
  const createdAt = timestampFromMs(decidedMs)
  const value = { bid: { sequence: BigInt(sequence), createdAt } }
  return bytesOf({ sequence: BigInt(sequence), event: { case: 'bidPlaced', value } })
}

export function clock(nowMs: number): Buffer {
  return bytesOf({ serverTime: timestampFromMs(nowMs), event: { case: 'clock', value: {} } })
}

function bytesOf(message: MessageInitShape<typeof WatchItemResponseSchema>): Buffer {
  return itemFrame(create(WatchItemResponseSchema, message), '').bytesFor('proto', '')
}
