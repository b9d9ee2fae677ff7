/** The audit log as operators read it: newest first, from a time on. */
import { create } from '@bufbuild/protobuf'
import { timestampDate, timestampFromDate, timestampMs } from '@bufbuild/protobuf/wkt'
import {
  type AuditEntry,
  AuditEntrySchema,
  type ListAuditEntriesRequest,
} from '@bidmesh/gen/bids/v1/bid_service_pb.ts'
import type { Sql } from '@bidmesh/platform/postgres/postgres.ts'
import {
  decodePageToken,
  DEFAULT_PAGE_SIZE,
  isTime,
  isUuid,
  type Page,
  pageOf,
} from '@bidmesh/platform/rpc/page-token.ts'

const DAY_MS = 86_400_000

type EntryRow = {
  recorded_at: Date
  id: string
  action: string
  user_id: string
  item_id: string | null
  version: bigint | null
  address: string
  user_agent: string
  request_id: string
  rules_version: number
  refusal: string | null
  times: number
}

/** @param nowMs for times that the request leaves out */
export async function listAuditEntries(
  sql: Sql,
  request: ListAuditEntriesRequest,
  nowMs: number,
): Promise<Page<AuditEntry>> {
  const { userId, address, requestId, refused, since, until } = request
  const itemId = request.itemId.toLowerCase()
  const span = [since, until].map((time) => time && timestampMs(time))
  const list = ['audit', userId, itemId, address, requestId, refused, ...span]
  const after = decodePageToken(request.pageToken, list, [isTime, isUuid])
  const size = request.pageSize || DEFAULT_PAGE_SIZE
  const to = until ? timestampDate(until) : new Date(nowMs + DAY_MS)
  const from = since ? timestampDate(since) : new Date((until ? to.getTime() : nowMs) - DAY_MS)
  const when = (column: string, value: string) =>
    value === '' ? sql`` : sql`AND ${sql(column)} = ${value}`
  const rows = await sql<EntryRow[]>`
    SELECT recorded_at, id, action, user_id, item_id, version, address, user_agent, request_id, rules_version,
      refusal, times
    FROM audit_entries
    WHERE recorded_at >= ${from.toISOString()} AND recorded_at < ${to.toISOString()}
      ${after ? sql`AND (recorded_at, id) < (${after[0] ?? ''}, ${after[1] ?? ''}) AND recorded_at <= ${after[0] ?? ''}` : sql``}
      ${when('user_id', userId)} ${when('item_id', itemId)} ${when('address', address)}
      ${when('request_id', requestId)} ${refused ? sql`AND refusal IS NOT NULL` : sql``}
    ORDER BY recorded_at DESC, id DESC
    LIMIT ${size + 1}`
  return pageOf(rows, size, list, (row) => [row.recorded_at.toISOString(), row.id], entryFromRow)
}

function entryFromRow(row: EntryRow): AuditEntry {
  return create(AuditEntrySchema, {
    recordedAt: timestampFromDate(row.recorded_at),
    id: row.id,
    action: row.action,
    userId: row.user_id,
    itemId: row.item_id ?? '',
    version: row.version ?? 0n,
    address: row.address,
    userAgent: row.user_agent,
    requestId: row.request_id,
    rulesVersion: row.rules_version,
    refusal: row.refusal ?? '',
    times: row.times,
  })
}
