/**
 * One batch of bids = one transaction: lock the items, decide each bid in arrival order on the locked
 * heads, write bids, heads and outbox in one statement, commit. Two round trips: BEGIN goes with the lock,
 * COMMIT with the write. Nobody is answered before the commit is known.
 *
 * The clock is `clock_timestamp()` of each row after its lock is granted, never `now()`: that is the time
 * of BEGIN and would admit a bid that waited past the end. The idempotency keys are looked up by a second
 * statement after the lock, because a statement does not see what was committed while it waited.
 */
import { randomUUIDv7 } from 'node:crypto'
import { constraintOf, errorCode, isContention } from '@bidmesh/platform/errors.ts'
import type { Queryable, ReservedSql } from '@bidmesh/platform/postgres.ts'
import type { Pipeline, Session } from '@bidmesh/platform/session.ts'
import { decideBid, type Head, type PlacedBid, type Refusal } from './auction.ts'
import { bidPlaced, insertOutbox, itemOpened, type OutboxEvent } from './events.ts'
import { headColumns, headFromRow, type HeadRow } from './item-row.ts'
import { BUSY, LEFT } from './lane-entry.ts'

/** A bid on its way to a decision. */
export type BidEntry = {
  itemId: string
  userId: string
  amount: bigint
  /** Empty: none. */
  idempotencyKey: string
  /** Trace context to store with the event; empty when the request is not sampled. */
  trace: Readonly<Record<string, string>>
}

export type BidOutcome =
  | { kind: 'accepted'; bid: PlacedBid; head: Head; extended: boolean }
  | { kind: 'repeated'; bid: PlacedBid; head: Head }
  | { kind: 'refused'; refusal: Refusal | 'item_not_found'; head?: Head }

/** A bid was not decided because its item is locked by somebody else, or because its caller has left. */
export type Undecided = typeof BUSY | typeof LEFT

export type PlaceBidsOptions = {
  invalidate: Invalidate
  /** Items whose locks are waited for, as long as the session's lock timeout; no other ever is. */
  waitFor?: ReadonlySet<string>
  /** Asked when the bid with this index is decided. */
  hasLeft?: (index: number) => boolean
}

const nothing: ReadonlySet<string> = new Set()

/** Told of items about to change, while the commit is under way; must not reject. */
export type Invalidate = (versions: ReadonlyMap<string, bigint>) => Promise<void>

/** The same key may win on another item in another process; after that the lookup sees it. */
const MAX_KEY_CONFLICTS = 3

/**
 * Decides a batch and returns an outcome per entry, in order. Throws when the batch as a whole could not
 * be decided; then nothing of it was written, except that a lost connection leaves the commit in doubt.
 */
export async function placeBids(
  session: Session,
  entries: readonly BidEntry[],
  options: PlaceBidsOptions,
): Promise<(BidOutcome | Undecided)[]> {
  let { waitFor = nothing } = options
  for (let conflicts = 0; ;) {
    try {
      return await session.transaction((pipeline) =>
        decideAndWrite(pipeline, entries, { ...options, waitFor }),
      )
    } catch (error) {
      if (isContention(error) && waitFor.size > 0) {
        // Somebody sits on one of the items: serve the others now.
        waitFor = nothing
      } else if (isKeyConflict(error) && conflicts < MAX_KEY_CONFLICTS) {
        conflicts += 1
      } else {
        throw error
      }
    }
  }
}

function isKeyConflict(error: unknown): boolean {
  return errorCode(error) === '23505' && constraintOf(error) === 'bids_idempotency'
}

type LockedRow = HeadRow & { now: Date }
type KeyRow = {
  id: string
  item_id: string
  user_id: string
  amount: bigint
  sequence: bigint
  created_at: Date
  idempotency_key: string
}

async function decideAndWrite(
  pipeline: Pipeline,
  entries: readonly BidEntry[],
  options: PlaceBidsOptions & { waitFor: ReadonlySet<string> },
): Promise<(BidOutcome | Undecided)[]> {
  const ids = [...new Set(entries.map((entry) => entry.itemId))]
  const waitFor = ids.filter((id) => options.waitFor.has(id))
  const others = waitFor.length > 0 ? ids.filter((id) => !options.waitFor.has(id)) : ids
  const keyed = entries.filter((entry) => entry.idempotencyKey !== '')
  // What is waited for first: the statement behind it never waits, so the order of ids is kept.
  const [, waited, free, keyRows] = await pipeline<[unknown, LockedRow[], LockedRow[], KeyRow[]]>(
    (sql) => [
      sql`BEGIN`,
      waitFor.length > 0 ? lockItems(sql, waitFor, false) : Promise.resolve([]),
      others.length > 0 ? lockItems(sql, others, true) : Promise.resolve([]),
      keyed.length > 0 ? findKeys(sql, keyed) : Promise.resolve([]),
    ],
  )
  const rows = [...waited, ...free]
  const batch = decideBatch(entries, rows, keyRows, options.hasLeft)
  const isMissing = rows.length < ids.length
  const locked = new Set(isMissing ? rows.map((row) => row.id) : [])
  const missing = isMissing ? ids.filter((id) => !locked.has(id)) : []
  const versions = new Map(batch.changed.map((head) => [head.itemId, head.version]))
  const [, known] = await pipeline<[unknown, { id: string }[], unknown, void]>((sql) => [
    batch.bids.length > 0 ? write(sql, batch) : Promise.resolve(),
    missing.length > 0 ? findItems(sql, missing) : Promise.resolve([]),
    sql`COMMIT`,
    versions.size > 0 ? options.invalidate(versions) : Promise.resolve(),
  ])
  const busy = new Set(known.map((row) => row.id))
  return batch.outcomes.map(
    (outcome, index) =>
      outcome ??
      (busy.has(entries[index]?.itemId ?? '')
        ? BUSY
        : { kind: 'refused', refusal: 'item_not_found' }),
  )
}

function lockItems(sql: ReservedSql, ids: readonly string[], skipLocked: boolean) {
  return sql<LockedRow[]>`
    WITH locked AS MATERIALIZED (
      SELECT ${sql([...headColumns])} FROM items
      WHERE id = ANY (${[...ids]}::uuid[])
      ORDER BY id
      FOR UPDATE ${skipLocked ? sql`SKIP LOCKED` : sql``}
    )
    SELECT locked.*, clock_timestamp() AS now FROM locked`
}

/** Of those that were not locked: somebody else holds the ones that exist. */
function findItems(sql: ReservedSql, ids: readonly string[]) {
  return sql<{ id: string }[]>`SELECT id FROM items WHERE id = ANY (${[...ids]}::uuid[])`
}

function findKeys(sql: ReservedSql, keyed: readonly BidEntry[]) {
  return sql<KeyRow[]>`
    SELECT b.id, b.item_id, b.user_id, b.amount, b.sequence, b.created_at, b.idempotency_key
    FROM unnest(
      ${keyed.map((entry) => entry.userId)}::text[],
      ${keyed.map((entry) => entry.idempotencyKey)}::text[]
    ) AS k (user_id, idempotency_key)
    JOIN bids b ON b.user_id = k.user_id AND b.idempotency_key = k.idempotency_key`
}

type StoredBid = PlacedBid & { idempotencyKey: string }

type DecidedBatch = {
  /** Undefined: the item was not locked. */
  outcomes: (BidOutcome | typeof LEFT | undefined)[]
  bids: StoredBid[]
  /** The last head of every item that changed. */
  changed: Head[]
  events: OutboxEvent[]
}

/** Applies the rules to the batch in arrival order; pure but for the ids it draws. */
function decideBatch(
  entries: readonly BidEntry[],
  rows: readonly LockedRow[],
  keyRows: readonly KeyRow[],
  hasLeft: PlaceBidsOptions['hasLeft'],
): DecidedBatch {
  const heads = new Map(rows.map((row) => [row.id, headFromRow(row)]))
  const nowMs = new Map(rows.map((row) => [row.id, row.now.getTime()]))
  const placed = new Map(
    keyRows.map((row) => [keyOf(row.user_id, row.idempotency_key), bidFromRow(row)]),
  )
  const changed = new Map<string, Head>()
  const bids: StoredBid[] = []
  const events: OutboxEvent[] = []

  const outcomes = entries.map((entry, index): BidOutcome | typeof LEFT | undefined => {
    const head = heads.get(entry.itemId)
    const atMs = nowMs.get(entry.itemId)
    if (!head || atMs === undefined) return undefined
    if (hasLeft?.(index)) return LEFT
    const key = entry.idempotencyKey && keyOf(entry.userId, entry.idempotencyKey)
    const decision = decideBid(head, entry, atMs, key ? placed.get(key) : undefined)
    if (decision.kind === 'repeated') return { kind: 'repeated', bid: decision.bid, head }
    if (decision.kind === 'refused') return { kind: 'refused', refusal: decision.refusal, head }

    const after = decision.head
    const bid: StoredBid = {
      id: randomUUIDv7(),
      itemId: entry.itemId,
      userId: entry.userId,
      amount: entry.amount,
      sequence: after.sequence,
      createdAtMs: atMs,
      idempotencyKey: entry.idempotencyKey,
    }
    heads.set(entry.itemId, after)
    changed.set(entry.itemId, after)
    bids.push(bid)
    if (key) placed.set(key, bid)
    if (decision.opened) events.push(itemOpened(decision.opened, entry.trace, atMs))
    events.push(bidPlaced(bid, head, after, decision.extended, entry.trace))
    return { kind: 'accepted', bid, head: after, extended: decision.extended }
  })
  return { outcomes, bids, changed: [...changed.values()], events }
}

/** User ids hold no NUL, so no two pairs share a key. */
function keyOf(userId: string, idempotencyKey: string): string {
  return `${userId}\0${idempotencyKey}`
}

function bidFromRow(row: KeyRow): PlacedBid {
  return {
    id: row.id,
    itemId: row.item_id,
    userId: row.user_id,
    amount: row.amount,
    sequence: row.sequence,
    createdAtMs: row.created_at.getTime(),
  }
}

function write(sql: Queryable, { bids, changed, events }: DecidedBatch) {
  const bidTimes = bids.map((bid) => new Date(bid.createdAtMs).toISOString())
  const lastBidAt = new Map(bids.map((bid, index) => [bid.itemId, bidTimes[index] ?? '']))
  return sql`
    WITH new_bids AS (
      INSERT INTO bids (item_id, sequence, id, user_id, amount, created_at, idempotency_key)
      SELECT * FROM unnest(
        ${bids.map((bid) => bid.itemId)}::uuid[],
        ${bids.map((bid) => String(bid.sequence))}::bigint[],
        ${bids.map((bid) => bid.id)}::uuid[],
        ${bids.map((bid) => bid.userId)}::text[],
        ${bids.map((bid) => String(bid.amount))}::bigint[],
        ${bidTimes}::timestamptz[],
        ${bids.map((bid) => bid.idempotencyKey || null)}::text[]
      )
    ), new_heads AS (
      UPDATE items SET
        status = 'active',
        end_at = h.end_at,
        extension_count = h.extension_count,
        current_highest_bid = h.current_highest_bid,
        highest_bidder_id = h.highest_bidder_id,
        sequence = h.sequence,
        version = h.version,
        updated_at = h.updated_at
      FROM unnest(
        ${changed.map((head) => head.itemId)}::uuid[],
        ${changed.map((head) => new Date(head.endAtMs).toISOString())}::timestamptz[],
        ${changed.map((head) => head.extensionCount)}::integer[],
        ${changed.map((head) => String(head.currentHighestBid))}::bigint[],
        ${changed.map((head) => head.highestBidderId)}::text[],
        ${changed.map((head) => String(head.sequence))}::bigint[],
        ${changed.map((head) => String(head.version))}::bigint[],
        ${changed.map((head) => lastBidAt.get(head.itemId) ?? '')}::timestamptz[]
      ) AS h (id, end_at, extension_count, current_highest_bid, highest_bidder_id, sequence, version,
        updated_at)
      WHERE items.id = h.id
    )
    ${insertOutbox(sql, events)}`
}
