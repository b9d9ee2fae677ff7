/**
 * Commands that were refused because of who sent them, for the audit log. They are written beside the bids' transactions, a second's at
 * once, because what strangers send must cost little: equal ones of a second become one row, and beyond {@link KINDS_MAX} kinds
 * they are only counted, in the process's log. A process that is killed loses those of its last second.
 */
import { randomUUIDv7 } from 'node:crypto'
import { RULES_VERSION } from '@bidmesh/auction/rules-version.ts'
import { MethodOptions_IdempotencyLevel } from '@bufbuild/protobuf/wkt'
import {
  BidRejectionReasonSchema,
  BidRejectionSchema,
  BidService,
} from '@bidmesh/gen/bids/v1/bid_service_pb.ts'
import { ErrorInfoSchema } from '@bidmesh/gen/google/rpc/error_details_pb.ts'
import type { Principal } from '@bidmesh/platform/identity/principal.ts'
import type { Sql } from '@bidmesh/platform/postgres/postgres.ts'
import type { RefusedCall } from '@bidmesh/platform/process/component.ts'
import type { Log } from '@bidmesh/platform/process/log.ts'
import { runPeriodically } from '@bidmesh/platform/process/run-periodically.ts'
import { procedureName } from '@bidmesh/platform/rpc/call-telemetry.ts'
import { isUuid } from '@bidmesh/platform/rpc/page-token.ts'
import type { Message } from '@bufbuild/protobuf'
import type { ConnectError } from '@connectrpc/connect'
import { codeToString } from '@connectrpc/connect/protocol-connect'

/** Rows a second and process: some 3 GB a day, if somebody sets out to fill the disk with them. */
export const KINDS_MAX = 100
const INTERVAL_MS = 1_000

type Refused = {
  id: string
  action: string
  user_id: string
  item_id: string | null
  address: string
  user_agent: string
  request_id: string
  refusal: string
  times: number
}

export type RefusalAudit = {
  onRefused: (call: RefusedCall) => void
  /** Writes what there is. */
  stop: () => Promise<void>
}

export function auditRefusals(sql: Sql, log: Log): RefusalAudit {
  let kinds = new Map<string, Refused>()
  let unsaid = 0
  const stopping = new AbortController()

  async function write(): Promise<void> {
    if (unsaid > 0) log.warn({ unsaid }, 'refused commands that are not in the audit log')
    unsaid = 0
    if (kinds.size === 0) return
    const rows = kinds
    kinds = new Map()
    try {
      await insertRefused(sql, [...rows.values()])
    } catch (error) {
      // As many as before are kept; what came meanwhile comes first.
      for (const [key, row] of rows) add(kinds, key, row)
      throw error
    }
  }

  function add(to: Map<string, Refused>, key: string, row: Refused): void {
    const known = to.get(key)
    if (known) known.times += row.times
    else if (to.size < KINDS_MAX) to.set(key, row)
    else unsaid += row.times
  }

  const failure = 'refused commands not written to the audit log, trying again in a second'
  const { signal } = stopping
  const writing = runPeriodically(write, { intervalMs: INTERVAL_MS, signal, log, failure })
  return {
    onRefused(call) {
      if (!isCommand(call)) return
      const row = refusedRow(call)
      const { action, user_id, item_id, address, refusal } = row
      add(kinds, JSON.stringify([action, user_id, item_id, address, refusal]), row)
    },
    async stop() {
      stopping.abort()
      await writing
      await write().catch(() => log.warn({ kinds: kinds.size }, failure))
    },
  }
}

function isCommand({ method }: RefusedCall): boolean {
  const isOurs = method.parent.typeName === BidService.typeName
  return isOurs && method.idempotency !== MethodOptions_IdempotencyLevel.NO_SIDE_EFFECTS
}

function refusedRow({ method, principal, origin, request, reason }: RefusedCall): Refused {
  const itemId = (textOf(request, 'itemId') || textOf(request, 'id')).toLowerCase()
  const [info] = reason.findDetails(ErrorInfoSchema)
  return {
    id: randomUUIDv7(),
    action: procedureName(method),
    user_id: userIdOf(principal, request),
    item_id: isUuid(itemId) ? itemId : null,
    address: origin.address,
    user_agent: origin.userAgent,
    request_id: origin.requestId,
    refusal: info?.reason ?? reasonOfBid(reason) ?? codeToString(reason.code).toUpperCase(),
    times: 1,
  }
}

function reasonOfBid(reason: ConnectError): string | undefined {
  const [rejection] = reason.findDetails(BidRejectionSchema)
  return rejection && BidRejectionReasonSchema.value[rejection.reason]?.localName
}

function userIdOf(principal: Principal, request: Message | undefined): string {
  if (principal.kind === 'identified') return principal.subject
  if (principal.kind !== 'trusted') return ''
  return textOf(request, 'userId') || textOf(request, 'sellerId')
}

function textOf(request: Message | undefined, field: string): string {
  const value: unknown = request && Reflect.get(request, field)
  return typeof value === 'string' ? value : ''
}

async function insertRefused(sql: Sql, rows: readonly Refused[]): Promise<void> {
  const texts = (column: keyof Refused) => rows.map((row) => row[column])
  await sql`
    INSERT INTO audit_entries (recorded_at, rules_version, id, action, user_id, item_id, address, user_agent,
      request_id, refusal, times)
    SELECT date_trunc('milliseconds', clock_timestamp()), ${RULES_VERSION}::smallint, *
    FROM unnest(
      ${texts('id')}::uuid[],
      ${texts('action')}::text[],
      ${texts('user_id')}::text[],
      ${texts('item_id')}::uuid[],
      ${texts('address')}::text[],
      ${texts('user_agent')}::text[],
      ${texts('request_id')}::text[],
      ${texts('refusal')}::text[],
      ${texts('times')}::integer[]
    )`
}
