/**
 * The loop that opens and closes items: work until nothing is due, at a pace that bids can live beside, then sleep
 * until the next start or end. It waits for no item: those that are always locked are taken care of beside it
 * (`overdue-items.ts`). It never sleeps longer than {@link MAX_SLEEP_MS}, because an item created meanwhile, or one
 * that was locked when its time came, announces itself to nobody.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { isTransient, messageOf, TransientError } from '@bidmesh/platform/process/errors.ts'
import { checkDatabase } from '@bidmesh/platform/postgres/check-database.ts'
import type { Log } from '@bidmesh/platform/process/log.ts'
import type { Sql } from '@bidmesh/platform/postgres/postgres.ts'
import type { Session } from '@bidmesh/platform/postgres/session.ts'
import { CLOSE_BATCH, closeItems, nextItems, openItems } from './close-items.ts'
import { waitForOverdueItems } from './overdue-items.ts'
import type { Invalidate } from './execute-batch.ts'
import { bidSchema } from './schema.ts'

const MAX_SLEEP_MS = 250
/**
 * From one full batch to the next, so that the ends of one moment leave room for bids on others: 4,500 a second, and as
 * many events for those who follow. 10,000 ends within a second, and all that follows, on two cores, without and with
 * it: the last was closed 0.4 and 1.2 s after the last end, and the p99 of bids on others was 5.1 and 2.7 times
 * that of before.
 */
const FULL_BATCH_INTERVAL_MS = 33
/** Between two looks, when there was nothing to do at the first. */
const MIN_SLEEP_MS = 5
/** An item that is due for so long is always locked when we look: somebody has to queue for its lock. */
const OVERDUE_MS = 100
/** After a failure, so that a database that is unavailable is not hammered. */
const FAILURE_PAUSE_MS = 500

export type Auctioneer = {
  check(): Promise<void>
  stop(): Promise<void>
}

export function startAuctioneer(options: {
  sql: Sql
  /** A pool with a connection for the loop and for each of the items waited for beside it. */
  session: Session
  invalidate: Invalidate
  /** After each batch that has opened or closed something. */
  wakeRelay: () => void
  log: Log
}): Auctioneer {
  const { sql, session, invalidate, wakeRelay, log } = options
  const stopping = new AbortController()
  const overdue = waitForOverdueItems(session, invalidate)
  /** Why nothing can be opened or closed now. */
  let failing: string | undefined

  /** Returns how long to pause. */
  async function pass(): Promise<number> {
    const startMs = performance.now()
    const closed = await closeItems(session, invalidate)
    const opened = await openItems(session, invalidate)
    if (opened > 0 || closed > 0) {
      wakeRelay()
      log.info({ opened, closed }, 'auctions opened and closed')
    }
    if (opened === CLOSE_BATCH || closed === CLOSE_BATCH)
      return Math.max(0, startMs + FULL_BATCH_INTERVAL_MS - performance.now())
    const next = await nextItems(sql, overdue.ids())
    for (const { id, waitMs } of next) if (waitMs < -OVERDUE_MS) overdue.add(id)
    const waitMs = next.find((item) => item.waitMs >= -OVERDUE_MS)?.waitMs ?? MAX_SLEEP_MS
    return Math.min(Math.max(waitMs, MIN_SLEEP_MS), MAX_SLEEP_MS)
  }

  async function run(): Promise<void> {
    while (!stopping.signal.aborted) {
      let pauseMs: number
      try {
        pauseMs = await pass()
        if (failing) log.info('auctioneer works again')
        failing = undefined
      } catch (error) {
        // Anything may pass or be mended from outside; giving up would leave auctions open for ever.
        const message = 'auctioneer cannot work, trying again'
        if (!failing && isTransient(error)) log.warn({ reason: messageOf(error) }, message)
        else if (!failing) log.error({ err: error }, message)
        failing = messageOf(error)
        pauseMs = FAILURE_PAUSE_MS
      }
      await sleep(pauseMs, undefined, { signal: stopping.signal }).catch(() => undefined)
    }
  }

  const running = run()
  return {
    check: async () => {
      await checkDatabase(sql, { tables: bidSchema.tables, writes: true })
      if (failing !== undefined) throw new TransientError(`auctions wait: ${failing}`)
    },
    async stop() {
      stopping.abort()
      await Promise.all([running, overdue.stop()])
    },
  }
}
