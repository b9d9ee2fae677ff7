/**
 * An item as Postgres holds it, the columns the rules need, and the translations to an auction state and back. The only
 * file that knows both names of a column.
 */
import type {
  AuctionState,
  ItemStatus as Status,
  Outcome,
  SoftClose,
} from '@bidmesh/auction/auction-state.ts'
import { itemMessage } from '@bidmesh/events/item-message.ts'
import type { Item } from '@bidmesh/gen/bids/v1/bid_service_pb.ts'

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

export function itemFromRow(row: ItemRow): Item {
  return itemMessage(stateFromRow(row), {
    title: row.title,
    description: row.description,
    images: row.images,
    category: row.category,
    cancelReason: row.cancel_reason,
    createdAt: row.created_at,
    updatedAt: row.updated_at,
  })
}
