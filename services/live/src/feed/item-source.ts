/** What live asks the bid service for, as the parts that ask want it. */
import { timestampDate } from '@bufbuild/protobuf/wkt'
import type { Item } from '@bidmesh/gen/bids/v1/bid_service_pb.ts'
import { ItemSourceService } from '@bidmesh/gen/bids/v1/item_source_service_pb.ts'
import { TransientError } from '@bidmesh/platform/process/errors.ts'
import { packedIds } from '@bidmesh/platform/rpc/packed-ids.ts'
import { type CallOptions, type Client, createClient, type Transport } from '@connectrpc/connect'
import type { ListFilter } from '../lists/lists.ts'

export type Versions = { now: Date; versions: { id: string; version: bigint }[] }

export type ItemSource = Pick<Client<typeof ItemSourceService>, 'listTopBids' | 'sampleBids'> & {
  /** The items with these ids, at most 200; those that do not exist are left out. */
  readItems: (ids: readonly string[]) => Promise<Item[]>
  /** Versions of those that exist of at most 1,000 items, and the database's clock. */
  readVersions: (ids: readonly string[]) => Promise<Versions>
  /** Ids of open items that match, those that end soonest first. */
  findItems: (filter: ListFilter, limit: number) => Promise<string[]>
  exists: (itemId: string, options?: CallOptions) => Promise<boolean>
}

export function createItemSource(transport: Transport): ItemSource {
  const client = createClient(ItemSourceService, transport)
  async function readVersions(ids: readonly string[], options?: CallOptions): Promise<Versions> {
    const { versions, time } = await client.batchGetVersions({ itemIds: packedIds(ids) }, options)
    if (!time || versions.length !== ids.length)
      throw new TransientError('the bid service has not answered what was asked')
    const found = ids.flatMap((id, index) => {
      const version = versions[index] ?? 0n
      return version > 0n ? [{ id, version }] : []
    })
    return { now: timestampDate(time), versions: found }
  }
  return {
    listTopBids: client.listTopBids,
    sampleBids: client.sampleBids,
    // Asked for many callers at once: none of them has its deadline for all.
    readVersions: (ids) => readVersions(ids),
    readItems: async (ids) => (await client.batchGetItems({ itemIds: [...ids] })).items,
    findItems: async ({ category, sellerId }, limit) =>
      (await client.findOpenItems({ category, sellerId, limit })).itemIds,
    exists: async (itemId, options) => (await readVersions([itemId], options)).versions.length > 0,
  }
}
