/**
 * An item as Postgres holds it, the columns the rules need, and the translations to an auction state and to the
 * `Item` message. The only file that knows both names of a column.
 */
import type {
  AuctionState,
  ItemStatus as Status,
  Outcome,
  SoftClose,
} from '@bidmesh/auction/auction-state.ts'
import { minimumNextBid } from '@bidmesh/auction/decide.ts'
import { create } from '@bufbuild/protobuf'
import { durationFromMs, timestampFromDate } from '@bufbuild/protobuf/wkt'
import {
  type Item,
  ItemSchema,
  ItemStatus,
  SoftClose_Mode,
} from '@bidmesh/gen/bids/v1/bid_service_pb.ts'
import { ItemOutcome } from '@bidmesh/gen/bids/v1/item_outcome_pb.ts'

/** Columns of `items` that make a state; for `sql(stateColumns)`. */
export const stateColumns = [
  'id',
  'seller_id',
  'currency',
  'status',
  'start_price',
  'min_increment',
  'start_at',
  'end_at',
  'original_end_at',
  'soft_close_mode',
  'soft_close_window_ms',
  'soft_close_extension_ms',
  'soft_close_max_extensions',
  'soft_close_max_total_ms',
  'extension_count',
  'current_highest_bid',
  'highest_bidder_id',
  'sequence',
  'outcome',
  'version',
] as const

/**
 * All columns of {@link ItemRow}; for `sql(itemColumns)`. Named, never `*`: the plan of a statement that runs
 * must not change its result when a migration adds a column.
 */
export const itemColumns = [
  ...stateColumns,
  'title',
  'description',
  'images',
  'category',
  'created_at',
  'updated_at',
  'cancel_reason',
] as const

/** Without what is long; for `sql(summaryColumns)`. */
export const summaryColumns = itemColumns.filter((column) => column !== 'description')

export type StateRow = {
  id: string
  seller_id: string
  currency: string
  status: Status
  start_price: bigint
  min_increment: bigint
  start_at: Date
  end_at: Date
  original_end_at: Date
  soft_close_mode: SoftClose['mode']
  soft_close_window_ms: number
  soft_close_extension_ms: number
  soft_close_max_extensions: number
  soft_close_max_total_ms: number
  extension_count: number
  current_highest_bid: bigint
  highest_bidder_id: string
  sequence: bigint
  outcome: Outcome | null
  version: bigint
}

/** A whole row of `items`. */
export type ItemRow = StateRow & {
  title: string
  description: string
  images: string[]
  category: string
  created_at: Date
  updated_at: Date
  cancel_reason: string
}

export function stateFromRow(row: StateRow): AuctionState {
  return {
    itemId: row.id,
    sellerId: row.seller_id,
    currency: row.currency,
    format: 'english',
    status: row.status,
    startPrice: row.start_price,
    minIncrement: row.min_increment,
    startAtMs: row.start_at.getTime(),
    endAtMs: row.end_at.getTime(),
    softClose: {
      mode: row.soft_close_mode,
      windowMs: row.soft_close_window_ms,
      extensionMs: row.soft_close_extension_ms,
      maxExtensions: row.soft_close_max_extensions,
      maxTotalMs: row.soft_close_max_total_ms,
    },
    originalEndAtMs: row.original_end_at.getTime(),
    extensionCount: row.extension_count,
    currentHighestBid: row.current_highest_bid,
    highestBidderId: row.highest_bidder_id,
    sequence: row.sequence,
    outcome: row.outcome,
    version: row.version,
  }
}

export function stateToRow(state: AuctionState): StateRow {
  return {
    id: state.itemId,
    seller_id: state.sellerId,
    currency: state.currency,
    status: state.status,
    start_price: state.startPrice,
    min_increment: state.minIncrement,
    start_at: new Date(state.startAtMs),
    end_at: new Date(state.endAtMs),
    original_end_at: new Date(state.originalEndAtMs),
    soft_close_mode: state.softClose.mode,
    soft_close_window_ms: state.softClose.windowMs,
    soft_close_extension_ms: state.softClose.extensionMs,
    soft_close_max_extensions: state.softClose.maxExtensions,
    soft_close_max_total_ms: state.softClose.maxTotalMs,
    extension_count: state.extensionCount,
    current_highest_bid: state.currentHighestBid,
    highest_bidder_id: state.highestBidderId,
    sequence: state.sequence,
    outcome: state.outcome,
    version: state.version,
  }
}

const statuses = {
  scheduled: ItemStatus.SCHEDULED,
  active: ItemStatus.ACTIVE,
  ended: ItemStatus.ENDED,
  cancelled: ItemStatus.CANCELLED,
} as const satisfies Record<Status, ItemStatus>

const statusNames: readonly Status[] = ['scheduled', 'active', 'ended', 'cancelled']

/** The status column's value for a filter; undefined for UNSPECIFIED (any). */
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

export function itemFromRow(row: ItemRow): Item {
  const sold = row.outcome === 'sold'
  const state = stateFromRow(row)
  return create(ItemSchema, {
    id: row.id,
    title: row.title,
    description: row.description,
    startPrice: row.start_price,
    currentHighestBid: row.current_highest_bid,
    endAt: timestampFromDate(row.end_at),
    createdAt: timestampFromDate(row.created_at),
    updatedAt: timestampFromDate(row.updated_at),
    images: row.images,
    category: row.category,
    sellerId: row.seller_id,
    status: statuses[row.status],
    currency: row.currency,
    startAt: timestampFromDate(row.start_at),
    minimumNextBid: minimumNextBid(state),
    bidCount: row.sequence,
    sequence: row.sequence,
    highestBidderId: row.highest_bidder_id,
    outcome: row.outcome ? outcomes[row.outcome] : ItemOutcome.UNSPECIFIED,
    winnerId: sold ? row.highest_bidder_id : '',
    hammerPrice: sold ? row.current_highest_bid : 0n,
    originalEndAt: timestampFromDate(row.original_end_at),
    extensionCount: row.extension_count,
    softClose: softCloseFrom(state),
    minIncrement: row.min_increment,
    version: row.version,
    cancelReason: row.cancel_reason,
  })
}
