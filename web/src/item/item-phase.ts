/** Where an auction is in its life by the clock, which is ahead of the auctioneer by up to a second. */
import { timestampMs } from '@bufbuild/protobuf/wkt'
import { type Item, ItemStatus } from '@bidmesh/gen/bids/v1/bid_service_pb.ts'
import { endMs } from './item-view.ts'

/** `closing`: the time is up, and the hammer is about to fall. */
export type ItemPhase = 'scheduled' | 'open' | 'closing' | 'ended' | 'cancelled'

/** @param nowMs the server's time */
export function phaseOf(
  item: Pick<Item, 'status' | 'startAt' | 'endAt'>,
  nowMs: number,
): ItemPhase {
  if (item.status === ItemStatus.ENDED) return 'ended'
  if (item.status === ItemStatus.CANCELLED) return 'cancelled'
  if (nowMs >= endMs(item)) return 'closing'
  return item.status === ItemStatus.SCHEDULED && nowMs < startMs(item) ? 'scheduled' : 'open'
}

/** When bidding starts, in ms by the server's clock. */
export function startMs(item: Pick<Item, 'startAt'>): number {
  return item.startAt ? timestampMs(item.startAt) : 0
}
