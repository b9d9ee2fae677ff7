/**
 * Transactions on an item that somebody else may hold. The first try hardly waits, so that callers of a held
 * item do not use up the connections that everybody needs; further ones wait for the lock on a few
 * connections of their own, in turns.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { isContention } from '@bidmesh/platform/errors.ts'
import type { Session } from '@bidmesh/platform/session.ts'

/** Beyond it the change is answered ABORTED. */
const MAX_HELD_MS = 5_000
/** Between two tries, beside their own waits. */
const PAUSE_MS = 10

/**
 * @param quick a pool with a lock timeout of a few milliseconds
 * @param patient one with few connections and a longer one
 */
export function patientSession(quick: Session, patient: Session): Session {
  return {
    async transaction(work, signal) {
      const deadlineMs = performance.now() + MAX_HELD_MS
      for (let session = quick; ; session = patient) {
        try {
          return await session.transaction(work, signal)
        } catch (error) {
          if (!isContention(error) || performance.now() >= deadlineMs) throw error
        }
        await sleep(PAUSE_MS, undefined, signal && { signal })
      }
    },
    async close() {
      await Promise.all([quick.close(), patient.close()])
    },
  }
}
