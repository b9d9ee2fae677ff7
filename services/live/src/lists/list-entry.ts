/** An item as lists show it, encoded once for all lists that have it. */
import { create, toBinary, toJson } from '@bufbuild/protobuf'
import type { Item } from '@bidmesh/gen/bids/v1/bid_service_pb.ts'
import {
  type ItemUpdate,
  ItemUpdateSchema,
  WatchItemsResponseSchema,
} from '@bidmesh/gen/live/v1/live_service_pb.ts'

/** Zeros are written out, as in all other answers. */
export const jsonOptions = { alwaysEmitImplicit: true } as const

export type EncodedEntry = {
  update: ItemUpdate
  /** A list message with nothing but this item. */
  proto: () => Uint8Array
  /** The item alone. */
  json: () => string
}

export type ListEntry = EncodedEntry & {
  /** For those who may not know who leads. */
  masked: () => EncodedEntry
}

export function listEntry(item: Item): ListEntry {
  const entry = encodedEntry(item)
  let masked: EncodedEntry | undefined
  const mask = () =>
    item.highestBidderId === '' ? entry : encodedEntry({ ...item, highestBidderId: '' })
  return { ...entry, masked: () => (masked ??= mask()) }
}

function encodedEntry(item: Item): EncodedEntry {
  const update = updateOf(item)
  let proto: Uint8Array | undefined
  let json: string | undefined
  const alone = () => create(WatchItemsResponseSchema, { updates: [update] })
  return {
    update,
    proto: () => (proto ??= toBinary(WatchItemsResponseSchema, alone())),
    json: () => (json ??= JSON.stringify(toJson(ItemUpdateSchema, update, jsonOptions))),
  }
}

function updateOf(item: Item): ItemUpdate {
  return create(ItemUpdateSchema, {
    itemId: item.id,
    sequence: item.sequence,
    version: item.version,
    currentHighestBid: item.currentHighestBid,
    minimumNextBid: item.minimumNextBid,
    bidCount: item.bidCount,
    ...(item.endAt && { endAt: item.endAt }),
    status: item.status,
    outcome: item.outcome,
    highestBidderId: item.highestBidderId,
    hammerPrice: item.hammerPrice,
    currency: item.currency,
  })
}
