/**
 * Ids of events that are not bids: derived, not drawn, so that whoever builds the event of a fact again
 * (a rebuild from the write side) gives it the id the consumers' inboxes know.
 */
import { createHash } from 'node:crypto'
import { uuidOf } from '@bidmesh/platform/rpc/canonical-id.ts'

/**
 * A UUID of version 8 (RFC 9562, section 5.8) from SHA-256 of type and item.
 *
 * @param itemId the item, with its version appended where one item can have many such events
 * @param type routing key, e.g. `item.ended`
 */
export function lifecycleEventId(itemId: string, type: string): string {
  const bytes = createHash('sha256').update(`${type}:${itemId}`).digest().subarray(0, 16)
  bytes.writeUInt8((bytes.readUInt8(6) & 0x0f) | 0x80, 6)
  bytes.writeUInt8((bytes.readUInt8(8) & 0x3f) | 0x80, 8)
  return uuidOf(bytes.toString('hex'))
}
