/**
 * The end of every run, however rough: what clients were told and what the consumers made of it is held
 * against the stored bids. Invariants as the project names them: I1 every acknowledged bid exists exactly
 * once; I2 sequences gapless and amounts rising; I3 states equal a replay of the pure rules; I4 every
 * event reached its effect exactly once; I5 statistics equal a recomputation; I7 the versions of an item's
 * events are 1, 2, 3 … in a history whose chain holds.
 *
 * The caller has let everything come to rest: nothing writes, and the outbox had time to drain.
 */
import { verifyHistory } from '@bidmesh/bid/verify-history.ts'
import type { Sql } from '@bidmesh/platform/postgres/postgres.ts'
import { compareStatistics } from './compare-statistics.ts'
import type { LedgerEntry } from './ledger.ts'
import { replayBids } from './replay-bids.ts'
import type { Violation } from './violation.ts'

export type CheckOptions = {
  /** The write side's database. */
  bidSql: Sql
  /** The read side's; absent when no consumer took part: I4 and I5 are then not checked. */
  statsSql?: Sql | undefined
  /** Every acknowledgement that clients saw; one and the same may be in it twice. */
  ledger: readonly LedgerEntry[]
  /** Ids of the items whose bids and history are checked; all when left out. Statistics are those of all. */
  items?: readonly string[] | undefined
  /** Every change was made by the service: a version without an event is then a violation of I7. */
  fullHistory: boolean
}

/** Shown of one invariant: the first few say what is wrong, a hundred thousand say no more. */
const shownPerInvariant = 10

/** Returns what was found wrong; an empty list is what a run must end with. */
export async function checkInvariants(options: CheckOptions): Promise<Violation[]> {
  const { bidSql, statsSql, ledger, items, fullHistory } = options
  const all = [
    ...(await replayBids(bidSql, ledger, items)),
    ...(statsSql ? await compareStatistics(bidSql, statsSql) : []),
    ...(await checkHistory(bidSql, fullHistory, items)),
  ]
  const byInvariant = Map.groupBy(all, ({ invariant }) => invariant)
  return [...byInvariant].flatMap(([invariant, found]) => {
    const more = found.length - shownPerInvariant
    if (more <= 0) return found
    return [...found.slice(0, shownPerInvariant), { invariant, message: `… and ${more} more` }]
  })
}

async function checkHistory(
  bidSql: Sql,
  full: boolean,
  items: readonly (string | undefined)[] = [undefined],
): Promise<Violation[]> {
  const violations: Violation[] = []
  for (const itemId of items) {
    for await (const { kind, ...found } of verifyHistory(bidSql, { itemId })) {
      if (!full && kind !== 'broken') continue
      violations.push({ invariant: 'I7', message: `item ${found.itemId}: ${found.message}` })
    }
  }
  return violations
}
