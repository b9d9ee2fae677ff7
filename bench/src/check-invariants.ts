/**
 * The end of every run, however rough: what clients were told and what the consumers made of it is held
 * against the stored bids. Invariants as the project names them: I1 every acknowledged bid exists exactly
 * once; I2 sequences gapless and amounts rising; I3 heads equal a replay of the pure rules; I4 every
 * event reached its effect exactly once; I5 statistics equal a recomputation; I7 the versions of an item's
 * events are 1, 2, 3 …
 *
 * The caller has let everything come to rest: nothing writes, and the outbox had time to drain.
 */
import type { Sql } from '@bidmesh/platform/postgres.ts'
import { compareStatistics } from './compare-statistics.ts'
import { checkVersions } from './kept-events.ts'
import type { LedgerEntry } from './ledger.ts'
import { replayBids } from './replay-bids.ts'

export type Violation = { invariant: 'I1' | 'I2' | 'I3' | 'I4' | 'I5' | 'I7'; message: string }

export type CheckOptions = {
  /** The write side's database. */
  bidSql: Sql
  /** The read side's; absent when no consumer took part: I4 and I5 are then not checked. */
  statsSql?: Sql | undefined
  /** Every acknowledgement that clients saw; one and the same may be in it twice. */
  ledger: readonly LedgerEntry[]
  /** Whether `keepEvents` has kept them since the first one; I7 is not checked otherwise. */
  eventsKept: boolean
}

/** Shown of one invariant: the first few say what is wrong, a hundred thousand say no more. */
const shownPerInvariant = 10

/** Returns what was found wrong; an empty list is what a run must end with. */
export async function checkInvariants(options: CheckOptions): Promise<Violation[]> {
  const { bidSql, statsSql, ledger, eventsKept } = options
  const all = [
    ...(await replayBids(bidSql, ledger)),
    ...(statsSql ? await compareStatistics(bidSql, statsSql) : []),
    ...(eventsKept ? await checkVersions(bidSql) : []),
  ]
  const byInvariant = Map.groupBy(all, ({ invariant }) => invariant)
  return [...byInvariant].flatMap(([invariant, found]) => {
    const more = found.length - shownPerInvariant
    if (more <= 0) return found
    return [...found.slice(0, shownPerInvariant), { invariant, message: `… and ${more} more` }]
  })
}
