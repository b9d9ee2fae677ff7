/**
 * Items that were locked whenever the auctioneer looked: by a crowd that bids on after the end, by another
 * process, or by a transaction that somebody forgot. Their locks are waited for beside the auctioneer's own
 * work, a few at a time and never for long, so that none of them holds up another item. Nothing is lost by
 * forgetting one: it is found again while it is due.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { isContention } from '@bidmesh/platform/process/errors.ts'
import type { Session } from '@bidmesh/platform/postgres/session.ts'
import { settleItem } from './close-items.ts'
import type { Invalidate } from './execute-batch.ts'

/** Locks waited for at once, each on a connection. */
export const OVERDUE_AT_ONCE = 2
/** Items remembered. Those beyond are closed as soon as they are found free, like all others. */
const MAX_OVERDUE = 100
/** Between two rounds. */
const PAUSE_MS = 5

export type OverdueItems = {
  ids(): string[]
  add(id: string): void
  /** Resolves when nothing is under way; nothing is begun any more. */
  stop(): Promise<void>
}

/** @param session a pool whose lock timeout is the longest that one item is waited for at a time */
export function waitForOverdueItems(session: Session, invalidate: Invalidate): OverdueItems {
  /** In turns: whoever was not granted its lock goes to the end. */
  const ids = new Set<string>()
  let running: Promise<void> | undefined
  let stopped = false

  async function run(): Promise<void> {
    while (ids.size > 0 && !stopped) {
      await Promise.all([...ids].slice(0, OVERDUE_AT_ONCE).map(settle))
      await sleep(PAUSE_MS)
    }
    running = undefined
  }

  async function settle(id: string): Promise<void> {
    try {
      await settleItem(session, id, invalidate)
      ids.delete(id)
    } catch (error) {
      ids.delete(id)
      // Any other failure meets the auctioneer too, which says so.
      if (isContention(error)) ids.add(id)
    }
  }

  return {
    ids: () => [...ids],
    add(id) {
      if (stopped || ids.size >= MAX_OVERDUE) return
      ids.add(id)
      running ??= run()
    },
    async stop() {
      stopped = true
      await running
    },
  }
}
