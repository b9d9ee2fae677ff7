/** Events of the write side as live needs them: decoded, with the item and the version they made. */
import { fromBinary } from '@bufbuild/protobuf'
import {
  type BidPlaced,
  BidPlacedSchema,
  type ItemCancelled,
  ItemCancelledSchema,
  type ItemCreated,
  ItemCreatedSchema,
  type ItemEnded,
  ItemEndedSchema,
  type ItemExtended,
  ItemExtendedSchema,
  type ItemOpened,
  ItemOpenedSchema,
  type ItemUpdated,
  ItemUpdatedSchema,
} from '@bidmesh/gen/events/v1/events_pb.ts'

export type ItemEvent =
  | { type: 'item.created'; message: ItemCreated }
  | { type: 'item.updated'; message: ItemUpdated }
  | { type: 'item.opened'; message: ItemOpened }
  | { type: 'bid.placed'; message: BidPlaced }
  | { type: 'item.extended'; message: ItemExtended }
  | { type: 'item.ended'; message: ItemEnded }
  | { type: 'item.cancelled'; message: ItemCancelled }

/** Undefined for a type that does not exist yet; throws for bytes that are not what the type says. */
export function decodeItemEvent(type: string, payload: Uint8Array): ItemEvent | undefined {
  switch (type) {
    case 'item.created':
      return { type, message: fromBinary(ItemCreatedSchema, payload) }
    case 'item.updated':
      return { type, message: fromBinary(ItemUpdatedSchema, payload) }
    case 'item.opened':
      return { type, message: fromBinary(ItemOpenedSchema, payload) }
    case 'bid.placed':
      return { type, message: fromBinary(BidPlacedSchema, payload) }
    case 'item.extended':
      return { type, message: fromBinary(ItemExtendedSchema, payload) }
    case 'item.ended':
      return { type, message: fromBinary(ItemEndedSchema, payload) }
    case 'item.cancelled':
      return { type, message: fromBinary(ItemCancelledSchema, payload) }
    default:
      return undefined
  }
}
