/**
 * The database's clock, which decides when an auction ends, as far as this process knows it: its own clock
 * plus a difference that was measured. Viewers hold their countdowns against it.
 */
export type ServerClock = {
  /** ms since 1970. */
  now: () => number
  /** A clock reading of the database that was asked for at `sentMs` and had arrived at `receivedMs`. */
  observe: (databaseMs: number, sentMs: number, receivedMs: number) => void
}

/**
 * Of the last so many readings, one a second, the one that was under way for the shortest time counts: it is
 * wrong by half of that at most, while any single one may have waited in a queue on either way.
 */
const READINGS_KEPT = 60
/** What two clocks may drift apart within that time. */
const DRIFT_MS = 20

type Reading = { offsetMs: number; roundTripMs: number }

export function createServerClock(own: () => number = Date.now): ServerClock {
  let readings: Reading[] = []
  let offsetMs = 0
  return {
    now: () => Math.round(own() + offsetMs),
    observe(databaseMs, sentMs, receivedMs) {
      const roundTripMs = receivedMs - sentMs
      // Our own clock was set back meanwhile.
      if (roundTripMs < 0) return
      const reading = { offsetMs: databaseMs - (sentMs + receivedMs) / 2, roundTripMs }
      // A clock was set since: what was read before is about another one.
      if (readings.some((earlier) => contradict(earlier, reading))) readings = []
      readings.push(reading)
      if (readings.length > READINGS_KEPT) readings.shift()
      offsetMs = leastDelayed(readings, reading).offsetMs
    },
  }
}

/** Readings of the same two clocks are each wrong by half their round trip at most. */
function contradict(a: Reading, b: Reading): boolean {
  return Math.abs(a.offsetMs - b.offsetMs) > (a.roundTripMs + b.roundTripMs) / 2 + DRIFT_MS
}

function leastDelayed(readings: readonly Reading[], latest: Reading): Reading {
  return readings.reduce(
    (best, each) => (each.roundTripMs < best.roundTripMs ? each : best),
    latest,
  )
}
