/**
 * ItemSourceService: what live watches, it asks for here, many items with one call. It has turns at the pool of its
 * own, so that what clients ask for does not hold up what viewers wait for.
 */
import { timestampFromDate } from '@bufbuild/protobuf/wkt'
import { ItemSourceService } from '@bidmesh/gen/bids/v1/item_source_service_pb.ts'
import type { Sql } from '@bidmesh/platform/postgres/postgres.ts'
import { createTurns } from '@bidmesh/platform/process/turns.ts'
import { canonicalId } from '@bidmesh/platform/rpc/canonical-id.ts'
import { idsOf } from '@bidmesh/platform/rpc/packed-ids.ts'
import type { ConnectRouter } from '@connectrpc/connect'
import { findOpenItems, listTopBids, readItems, readVersions, sampleBids } from './item-source.ts'

/** As many as the pool has connections beyond those for clients' queries. */
const QUERIES_AT_ONCE = 4

export function itemSourceRoutes(sql: Sql) {
  const queries = createTurns(Array.from({ length: QUERIES_AT_ONCE }, (_, place) => place))
  return (router: ConnectRouter): ConnectRouter =>
    router.service(ItemSourceService, {
      async batchGetItems({ itemIds }, { signal }) {
        return { items: await queries.run(() => readItems(sql, itemIds), signal) }
      },

      async batchGetVersions({ itemIds }, { signal }) {
        const ids = idsOf(itemIds)
        const { now, versions } = await queries.run(() => readVersions(sql, ids), signal)
        return { versions: ids.map((id) => versions.get(id) ?? 0n), time: timestampFromDate(now) }
      },

      async findOpenItems(request, { signal }) {
        return { itemIds: await queries.run(() => findOpenItems(sql, request), signal) }
      },

      async listTopBids({ itemId, maxBidders }, { signal }) {
        const id = canonicalId(itemId)
        return { bids: await queries.run(() => listTopBids(sql, id, maxBidders), signal) }
      },

      sampleBids: ({ itemId, maxBids }, { signal }) =>
        queries.run(() => sampleBids(sql, canonicalId(itemId), maxBids), signal),
    })
}
