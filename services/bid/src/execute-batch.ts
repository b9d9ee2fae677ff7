/**
 * One batch of commands = one transaction: lock the items, look up idempotency keys, decide in order of arrival on the
 * locked states, write bids, states and events in one statement, commit. Two round trips: BEGIN goes with the lock,
 * COMMIT with the write. Nobody is answered before the commit is known.
 *
 * The clock is `clock_timestamp()` of each row after its lock is granted, never `now()`: that is the time
 * of BEGIN and would admit a bid that waited past the end. The idempotency keys are looked up by a second
 * statement after the lock, because a statement does not see what was committed while it waited.
 */
import { constraintOf, errorCode, isContention } from '@bidmesh/platform/process/errors.ts'
import type { ReservedSql } from '@bidmesh/platform/postgres/postgres.ts'
import type { Committed, Session, Transaction } from '@bidmesh/platform/postgres/session.ts'
import {
  type BidEntry,
  type CommandEntry,
  decideBatch,
  type DecidedBatch,
  keyOf,
  lockedColumns,
  type LockedRow,
  type Outcome,
  type PlacedBid,
} from './decide-batch.ts'
import { itemColumns, type ItemRow } from './item-row.ts'
import { BUSY, LEFT } from './lane-entry.ts'
import { writeBatch, writeTexts } from './write-batch.ts'

/** A command was not decided because its item is locked by somebody else, or because its caller has left. */
export type Undecided = typeof BUSY | typeof LEFT

export type ExecuteBatchOptions = {
  invalidate: Invalidate
  /** Items whose locks are waited for, as long as the session's lock timeout; no other ever is. */
  waitFor?: ReadonlySet<string>
  /** Asked when the command with this index is decided. */
  hasLeft?: (index: number) => boolean
}

const nobody: ReadonlySet<string> = new Set()
const nothing = Promise.resolve()
const noRows = Promise.resolve([])

/** Told of items about to change, while the commit is under way; must not reject. */
export type Invalidate = (versions: ReadonlyMap<string, bigint>) => Promise<void>

/** The same key may win on another item in another process; after that the lookup sees it. */
const MAX_KEY_CONFLICTS = 3

/**
 * Decides a batch and returns an outcome per entry, in order. Throws when the batch as a whole could not
 * be decided; then nothing of it was written, except that a lost connection leaves the commit in doubt.
 */
export async function executeBatch(
  session: Session,
  entries: readonly CommandEntry[],
  options: ExecuteBatchOptions,
): Promise<(Outcome | Undecided)[]> {
  let { waitFor = nobody } = options
  for (let conflicts = 0; ;) {
    try {
      return await session.transaction((transaction) =>
        decideAndWrite(transaction, entries, { ...options, waitFor }),
      )
    } catch (error) {
      if (isContention(error) && waitFor.size > 0) {
        // Somebody sits on one of the items: serve the others now.
        waitFor = nobody
      } else if (isKeyConflict(error) && conflicts < MAX_KEY_CONFLICTS) {
        conflicts += 1
      } else {
        throw error
      }
    }
  }
}

function isKeyConflict(error: unknown): boolean {
  return errorCode(error) === '23505' && constraintOf(error) === 'bid_keys_pkey'
}

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
  transaction: Transaction,
  entries: readonly CommandEntry[],
  options: ExecuteBatchOptions & { waitFor: ReadonlySet<string> },
): Promise<Committed<(Outcome | Undecided)[]>> {
  const { rows, missing, keyRows } = await lockItems(transaction, entries, options.waitFor)
  const earlier = new Map(
    keyRows.map((row) => [keyOf(row.user_id, row.idempotency_key), bidFromRow(row)]),
  )
  const batch = decideBatch(entries, rows, earlier, options.hasLeft)
  const { changed, texts } = batch
  const versions = new Map([...changed].map(([id, { state }]) => [id, state.version]))
  const asked = changedByCommand(entries, batch)
  const done = await transaction.commit(
    (sql) => [
      changed.size > 0 ? writeBatch(sql, batch) : nothing,
      texts.size > 0 ? writeTexts(sql, texts) : nothing,
      missing.length > 0 ? findItems(sql, missing) : noRows,
      asked.length > 0 ? readItems(sql, asked) : noRows,
    ],
    versions.size > 0 ? () => options.invalidate(versions) : undefined,
  )
  return done.map(([, , known, items]) => told(entries, batch, { known, items }))
}

/** Items whose callers are told the whole item. */
function changedByCommand(entries: readonly CommandEntry[], { outcomes }: DecidedBatch): string[] {
  const isChange = (outcome: DecidedBatch['outcomes'][number]) =>
    typeof outcome === 'object' && outcome.kind === 'changed'
  const changed = entries.filter((_entry, index) => isChange(outcomes[index]))
  return [...new Set(changed.map(({ itemId }) => itemId))]
}

/** What each caller is told, now that it is committed. */
function told(
  entries: readonly CommandEntry[],
  batch: DecidedBatch,
  { known, items }: { known: readonly { id: string }[]; items: readonly ItemRow[] },
): (Outcome | Undecided)[] {
  const busy = new Set(known.map((row) => row.id))
  const rowOf = new Map(items.map((row) => [row.id, row]))
  return batch.outcomes.map((outcome, index): Outcome | Undecided => {
    const id = entries[index]?.itemId ?? ''
    if (!outcome) {
      return busy.has(id) ? BUSY : { kind: 'rejected', rejection: 'item_not_found' }
    }
    if (outcome === LEFT || outcome.kind !== 'changed') return outcome
    const item = rowOf.get(id)
    return item ? { ...outcome, item } : outcome
  })
}

async function lockItems(
  transaction: Transaction,
  entries: readonly CommandEntry[],
  waitForAny: ReadonlySet<string>,
): Promise<{ rows: LockedRow[]; missing: string[]; keyRows: KeyRow[] }> {
  const ids = [...new Set(entries.map((entry) => entry.itemId))]
  const waitFor = ids.filter((id) => waitForAny.has(id))
  const others = waitFor.length > 0 ? ids.filter((id) => !waitForAny.has(id)) : ids
  const keyed = entries.filter(hasKey)
  const columns = entries.some(({ command }) => command.kind === 'edit')
    ? [...lockedColumns, 'title', 'category']
    : lockedColumns
  // What is waited for first: the statement behind it never waits, so the order of ids is kept.
  const [waited, free, keyRows] = await transaction.query((sql) => [
    waitFor.length > 0 ? lockRows(sql, columns, waitFor, false) : noRows,
    others.length > 0 ? lockRows(sql, columns, others, true) : noRows,
    keyed.length > 0 ? findKeys(sql, keyed) : noRows,
  ])
  const rows = [...waited, ...free]
  if (rows.length === ids.length) return { rows, missing: [], keyRows }
  const locked = new Set(rows.map((row) => row.id))
  return { rows, missing: ids.filter((id) => !locked.has(id)), keyRows }
}

function hasKey(entry: CommandEntry): entry is BidEntry {
  return entry.idempotencyKey !== '' && entry.command.kind === 'place_bid'
}

function lockRows(
  sql: ReservedSql,
  columns: readonly string[],
  ids: readonly string[],
  skipLocked: boolean,
) {
  return sql<LockedRow[]>`
    WITH locked AS MATERIALIZED (
      SELECT ${sql([...columns])} FROM items
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

function readItems(sql: ReservedSql, ids: readonly string[]) {
  return sql<ItemRow[]>`
    SELECT ${sql([...itemColumns])} FROM items WHERE id = ANY (${[...ids]}::uuid[])`
}

function findKeys(sql: ReservedSql, keyed: readonly BidEntry[]) {
  return sql<KeyRow[]>`
    SELECT b.id, b.item_id, b.user_id, b.amount, b.sequence, b.created_at, k.idempotency_key
    FROM unnest(
      ${keyed.map(({ command }) => command.userId)}::text[],
      ${keyed.map((entry) => entry.idempotencyKey)}::text[]
    ) AS k (user_id, idempotency_key)
    JOIN bid_keys USING (user_id, idempotency_key)
    JOIN bids b USING (item_id, sequence, created_at)`
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
