/**
 * An item as it changes, over as many connections as it takes. What must stay true: of the bids that are told none comes
 * twice and none is missing, but for those before a snapshot, which says how things stand after them; and no other
 * change comes twice.
 */
import type { MessageInitShape } from '@bufbuild/protobuf'
import type { Bid, BidService } from '@bidmesh/gen/bids/v1/bid_service_pb.ts'
import { ExtensionReason } from '@bidmesh/gen/bids/v1/extension_pb.ts'
import type {
  LiveService,
  WatchItemRequestSchema,
  WatchItemResponse,
} from '@bidmesh/gen/live/v1/live_service_pb.ts'
import { type Client, Code, ConnectError } from '@connectrpc/connect'
import { resumedStream, type WatchOptions } from './resumed-stream.ts'

/** As many as the service gives at once. */
const PAGE_SIZE = 100

export type WatchRequest = MessageInitShape<typeof WatchItemRequestSchema>

export async function* watchItem(
  live: Pick<Client<typeof LiveService>, 'watchItem'>,
  request: WatchRequest,
  options: WatchOptions = {},
): AsyncGenerator<WatchItemResponse, void> {
  const place = new Place(request.afterSequence)
  const open = (signal: AbortSignal) =>
    newTo(place, live.watchItem(place.from(request), { signal }))
  yield* resumedStream(open, options)
}

/**
 * Every bid once and in order, those that were missed read from the item's history.
 *
 * @param request without `afterSequence`: from now on
 */
export async function* watchBids(
  {
    bids,
    live,
  }: { bids: Pick<Client<typeof BidService>, 'getItemBids'> } & {
    live: Pick<Client<typeof LiveService>, 'watchItem'>
  },
  request: WatchRequest,
  options: WatchOptions = {},
): AsyncGenerator<Bid, void> {
  let last = request.afterSequence
  for await (const { event, sequence } of watchItem(live, request, options)) {
    if (event.case === 'bidPlaced' && event.value.bid) yield event.value.bid
    else if (event.case === 'snapshot') {
      if (last !== undefined) {
        yield* await bidsBetween(bids, request.itemId ?? '', last, sequence)
      }
    } else continue
    last = sequence
  }
}

/** The bids after number `last`, up to number `until`. */
async function bidsBetween(
  bids: Pick<Client<typeof BidService>, 'getItemBids'>,
  itemId: string,
  last: bigint,
  until: bigint,
): Promise<Bid[]> {
  const found: Bid[] = []
  for (let pageToken = ''; until - last > found.length;) {
    const page = await bids.getItemBids({ itemId, pageSize: PAGE_SIZE, pageToken })
    found.push(...page.bids.filter(({ sequence }) => sequence > last && sequence <= until))
    pageToken = page.nextPageToken
    if (pageToken === '') break
  }
  return found.toReversed()
}

/** Where a reader is in the changes of an item. */
class Place {
  #sequence: bigint | undefined
  #version = -1n
  #extensions = -1

  constructor(sequence: bigint | undefined) {
    this.#sequence = sequence
  }

  /** What to ask for to go on from here. */
  from({ itemId = '', userId = '' }: WatchRequest): WatchRequest {
    const after = this.#sequence === undefined ? {} : { afterSequence: this.#sequence }
    return { itemId, userId, ...after }
  }

  /** Goes on to the message; false when it tells what has been told. */
  take({ event, sequence, version }: WatchItemResponse): boolean {
    switch (event.case) {
      case 'snapshot':
        // May be a step back, when the database was restored.
        this.#extensions = event.value.item?.extensionCount ?? -1
        break
      case 'bidPlaced':
        if (this.#sequence !== undefined && sequence <= this.#sequence) return false
        if (this.#sequence !== undefined && sequence > this.#sequence + 1n) this.#refuse()
        break
      case 'endMoved': {
        const { reason, extensionCount } = event.value
        // The one that follows its bid has that bid's version.
        if (reason !== ExtensionReason.LATE_BID) return this.#advance(version)
        if (extensionCount <= this.#extensions) return false
        this.#extensions = extensionCount
        return true
      }
      case 'opened':
      case 'ended':
      case 'cancelled':
        return this.#advance(version)
      case 'chatMessage':
      case 'viewerCount':
      case 'clock':
      case undefined:
        return true
    }
    this.#sequence = sequence
    this.#version = version
    return true
  }

  #advance(version: bigint): boolean {
    if (version <= this.#version) return false
    this.#version = version
    return true
  }

  /** The next opening begins with a snapshot. */
  #refuse(): never {
    this.#sequence = undefined
    throw new ConnectError('a bid is missing in the stream', Code.DataLoss)
  }
}

async function* newTo(place: Place, messages: AsyncIterable<WatchItemResponse>) {
  for await (const message of messages) if (place.take(message)) yield message
}
