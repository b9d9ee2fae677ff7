/**
 * The loop that opens and closes items: work until nothing is due, then sleep until the next start or
 * end. It never sleeps longer than {@link MAX_SLEEP_MS}, because an item created meanwhile, or one that
 * was locked when its time came, announces itself to nobody.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { isTransient, messageOf, TransientError } from '@bidmesh/platform/errors.ts'
import { checkDatabase } from '@bidmesh/platform/check-database.ts'
import type { Log } from '@bidmesh/platform/log.ts'
import type { Sql } from '@bidmesh/platform/postgres.ts'
import type { Session } from '@bidmesh/platform/session.ts'
import { CLOSE_BATCH, closeItems, closeOverdueItem, openItems, untilNextMs } from './close-items.ts'
import type { Invalidate } from './place-bids.ts'
import { bidSchema } from './schema.ts'

const MAX_SLEEP_MS = 250
/** Between an item that is due but locked and the next look at it. */
const MIN_SLEEP_MS = 5
/** An item that is due for so long is always locked when we look: queue for its lock. */
const OVERDUE_MS = 100
/** After a failure, so that a database that is away is not hammered. */
const FAILURE_PAUSE_MS = 500

export type Auctioneer = {
  check(): Promise<void>
  stop(): Promise<void>
}

export function startAuctioneer(options: {
  sql: Sql
  session: Session
  invalidate: Invalidate
  log: Log
}): Auctioneer {
  const { sql, session, invalidate, log } = options
  const stopping = new AbortController()
  /** Why nothing can be opened or closed now. */
  let failing: string | undefined

  async function pass(): Promise<number> {
    const opened = await openItems(session, invalidate)
    const closed = await closeItems(session, invalidate)
    if (opened > 0 || closed > 0) log.info({ opened, closed }, 'auctions opened and closed')
    if (opened === CLOSE_BATCH || closed === CLOSE_BATCH) return 0
    const waitMs = (await untilNextMs(sql)) ?? MAX_SLEEP_MS
    if (waitMs < -OVERDUE_MS) {
      await closeOverdueItem(session, invalidate)
      return 0
    }
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
      await running
    },
  }
}
