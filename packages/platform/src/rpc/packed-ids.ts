/**
 * UUIDs as bytes, one behind the other, in messages that hold a thousand of them: checking as many texts would keep the
 * process from everything else for milliseconds.
 */
import { Code, ConnectError } from '@connectrpc/connect'
import { uuidOf } from './canonical-id.ts'

const ID_BYTES = 16

/** @param ids UUIDs, as texts */
export function packedIds(ids: readonly string[]): Uint8Array<ArrayBuffer> {
  return new Uint8Array(Buffer.from(ids.join('').replaceAll('-', ''), 'hex'))
}

/** In lower case. Throws INVALID_ARGUMENT for a length that is no number of ids. */
export function idsOf(packed: Uint8Array): string[] {
  if (packed.length % ID_BYTES !== 0) {
    throw new ConnectError('item_ids: must be UUIDs of 16 bytes each', Code.InvalidArgument)
  }
  const hex = Buffer.from(packed).toString('hex')
  return Array.from({ length: packed.length / ID_BYTES }, (_, index) =>
    uuidOf(hex.slice(2 * ID_BYTES * index, 2 * ID_BYTES * (index + 1))),
  )
}
