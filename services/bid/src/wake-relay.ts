/**
 * Tells the relay that events were committed, so that a lone bid need not wait for its next look. Outside of the
 * transaction: NOTIFY within it would have all writers of the database commit one after the other.
 */
import { OUTBOX_CHANNEL } from '@bidmesh/events/queues.ts'
import type { Sql } from '@bidmesh/platform/postgres/postgres.ts'

/** Under load the relay is awake anyway: a hundred a second are plenty, 1 % of a core. */
const INTERVAL_MS = 10

/** Call after each commit that wrote events. Never fails: a relay that is not told looks by itself. */
export function createRelayWaker(sql: Sql): () => void {
  let resting = false
  let again = false
  const rest = async (): Promise<void> => {
    const notified = sql`SELECT pg_notify(${OUTBOX_CHANNEL}, '')`.catch(() => undefined)
    const pause = new Promise((resolve) => setTimeout(resolve, INTERVAL_MS).unref())
    await Promise.all([notified, pause])
    resting = false
    if (again) wake()
  }
  function wake(): void {
    again = resting
    if (resting) return
    resting = true
    void rest()
  }
  return wake
}
