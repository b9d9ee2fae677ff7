/** An item as messages show it. */
import type {
  AuctionState,
  ItemStatus as Status,
  Outcome,
  SoftClose,
} from '@bidmesh/auction/auction-state.ts'
import { minimumNextBid } from '@bidmesh/auction/decide.ts'
import { create } from '@bufbuild/protobuf'
import { durationFromMs, timestampFromDate, timestampFromMs } from '@bufbuild/protobuf/wkt'
import {
  type Item,
  ItemSchema,
  ItemStatus,
  SoftClose_Mode,
} from '@bidmesh/gen/bids/v1/bid_service_pb.ts'
import { ItemOutcome } from '@bidmesh/gen/bids/v1/item_outcome_pb.ts'

/** Of an item, what the rules have nothing to do with. */
export type ItemDetails = Pick<
  Item,
  'title' | 'description' | 'images' | 'category' | 'cancelReason'
> & { createdAt: Date; updatedAt: Date }

const statuses = {
  scheduled: ItemStatus.SCHEDULED,
  active: ItemStatus.ACTIVE,
  ended: ItemStatus.ENDED,
  cancelled: ItemStatus.CANCELLED,
} as const satisfies Record<Status, ItemStatus>

const statusNames: readonly Status[] = ['scheduled', 'active', 'ended', 'cancelled']

/** The name of a status; undefined for UNSPECIFIED. */
export function statusName(status: ItemStatus): Status | undefined {
  return statusNames.find((name) => statuses[name] === status)
}

export const outcomes = {
  sold: ItemOutcome.SOLD,
  unsold: ItemOutcome.UNSOLD,
} as const satisfies Record<Outcome, ItemOutcome>

const modes = {
  add: SoftClose_Mode.ADD,
  reset: SoftClose_Mode.RESET,
} as const satisfies Record<SoftClose['mode'], SoftClose_Mode>

function softCloseFrom({ softClose }: AuctionState) {
  const { mode, windowMs, extensionMs, maxExtensions, maxTotalMs } = softClose
  return {
    mode: modes[mode],
    window: durationFromMs(windowMs),
    ...(mode === 'add' && { extension: durationFromMs(extensionMs) }),
    maxExtensions,
    ...(maxTotalMs > 0 && { maxTotal: durationFromMs(maxTotalMs) }),
  }
}

export function itemMessage(state: AuctionState, details: ItemDetails): Item {
  const sold = state.outcome === 'sold'
  return create(ItemSchema, {
    ...details,
    createdAt: timestampFromDate(details.createdAt),
    updatedAt: timestampFromDate(details.updatedAt),
    id: state.itemId,
    startPrice: state.startPrice,
    currentHighestBid: state.currentHighestBid,
    endAt: timestampFromMs(state.endAtMs),
    sellerId: state.sellerId,
    status: statuses[state.status],
    currency: state.currency,
    startAt: timestampFromMs(state.startAtMs),
    minimumNextBid: minimumNextBid(state),
    bidCount: state.sequence,
    sequence: state.sequence,
    highestBidderId: state.highestBidderId,
    outcome: state.outcome ? outcomes[state.outcome] : ItemOutcome.UNSPECIFIED,
    winnerId: sold ? state.highestBidderId : '',
    hammerPrice: sold ? state.currentHighestBid : 0n,
    originalEndAt: timestampFromMs(state.originalEndAtMs),
    extensionCount: state.extensionCount,
    softClose: softCloseFrom(state),
    minIncrement: state.minIncrement,
    version: state.version,
  })
}
