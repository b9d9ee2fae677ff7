/**
 * One shard as a relay sees it: where its next scan starts, how many rows it may take, and when it may be tried
 * again. What must stay true: a scan from the beginning is due every second, and a failing shard is tried with
 * a single row.
 */
import { backoffMs } from '@bidmesh/platform/broker/deliver-batch.ts'
import type { Scan } from './outbox.ts'
import { startOfShard } from './scan-cursor.ts'
import type { ScanCursor } from './scan-cursor.ts'

/** Rows of one shard in one transaction: what a crash may repeat, and what is in flight at once. */
const BATCH_MAX_ROWS = 1_000
/** How soon a row that the cursor has passed is found all the same; see `scan-cursor.ts`. */
const SWEEP_INTERVAL_MS = 1_000
/** Back-off of a failing shard or database; what is back should be used within two seconds. */
export const RETRY_LIMITS = { minMs: 100, maxMs: 2_000 }

export type Shard = {
  shard: number
  cursor: ScanCursor
  /** In a transaction of this relay now. */
  busy: boolean
  /** Who waited longest goes first. */
  servedAtMs: number
  failures: number
  /** Why the last try failed, until one did not or nothing is left to try. */
  waitsFor?: string
  retryAtMs: number
  sweepAtMs: number
}

/** A shard nothing is known of yet: its first scan is a sweep. */
export function newShard(shard: number): Shard {
  const never = { servedAtMs: 0, retryAtMs: 0, sweepAtMs: 0 }
  return { shard, cursor: startOfShard, busy: false, failures: 0, ...never }
}

/** Sweeps that were due at `startedMs` are done. */
export function swept(shards: readonly Shard[], startedMs: number): void {
  for (const shard of shards) {
    if (startedMs >= shard.sweepAtMs) shard.sweepAtMs = startedMs + SWEEP_INTERVAL_MS
  }
}

/** The next scan of a shard. */
export function scanOf({ shard, cursor, failures, sweepAtMs }: Shard, nowMs: number): Scan {
  return {
    shard,
    after: nowMs >= sweepAtMs ? startOfShard.after : cursor.after,
    limit: failures > 0 ? 1 : BATCH_MAX_ROWS,
  }
}

/** After a failure: waits longer each time. */
export function retryLater(shard: Shard, reason: string): void {
  shard.waitsFor = reason
  shard.failures += 1
  shard.retryAtMs = performance.now() + backoffMs(shard.failures, Math.random, RETRY_LIMITS)
}
