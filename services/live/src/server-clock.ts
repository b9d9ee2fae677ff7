/**
 * The database's clock, which decides when an auction ends, as far as this process knows it: its own clock
 * plus the difference last measured. Viewers hold their countdowns against it.
 */
export type ServerClock = {
  /** ms since 1970. */
  now: () => number
  /** A clock reading of the database that was asked for at `sentMs` and had arrived at `receivedMs`. */
  observe: (databaseMs: number, sentMs: number, receivedMs: number) => void
}

/** A reading that was under way for longer says too little. */
const ROUND_TRIP_MAX_MS = 100

export function createServerClock(own: () => number = Date.now): ServerClock {
  let offsetMs = 0
  return {
    now: () => Math.round(own() + offsetMs),
    observe(databaseMs, sentMs, receivedMs) {
      if (receivedMs - sentMs > ROUND_TRIP_MAX_MS) return
      offsetMs = databaseMs - (sentMs + receivedMs) / 2
    },
  }
}
