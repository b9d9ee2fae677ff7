/** Waits for the read side to have caught up with the write side. */
import { setTimeout as sleep } from 'node:timers/promises'
import type { Sql } from '@bidmesh/platform/postgres/postgres.ts'
import type { ProgressLog } from '@bidmesh/platform/process/progress-log.ts'

const pollMs = 100
const sayEveryMs = 5_000
/** Without a single event more for this long, no more will come: the checker says what is missing. */
const standstillMs = 20_000

/** Returns when the outbox is empty and every bid and end is in the inbox, or nothing moves any more. */
export async function untilDrained(bidSql: Sql, statsSql: Sql, log: ProgressLog): Promise<void> {
  const [row] = await bidSql<{ events: bigint }[]>`
    SELECT (SELECT count(*) FROM bids) + count(*) AS events FROM items WHERE status = 'ended'`
  const events = row?.events ?? 0n
  let last = ''
  let movedMs = performance.now()
  let saidMs = movedMs
  while (performance.now() - movedMs < standstillMs) {
    const [[outbox], [inbox]] = await Promise.all([
      bidSql<{ rows: bigint }[]>`SELECT count(*) AS rows FROM outbox`,
      statsSql<{ rows: bigint }[]>`SELECT count(*) AS rows FROM inbox_events`,
    ])
    const unsent = outbox?.rows ?? 0n
    const applied = inbox?.rows ?? 0n
    if (unsent === 0n && applied >= events) return
    const now = `${unsent} ${applied}`
    if (now !== last) movedMs = performance.now()
    last = now
    if (performance.now() - saidMs > sayEveryMs) {
      saidMs = performance.now()
      log.info({ unsent, applied, events }, 'draining')
    }
    await sleep(pollMs)
  }
}
