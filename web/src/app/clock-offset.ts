/**
 * By how much the server's clock is ahead of this machine's. A message that says the server's time is old by
 * its delay when it is read, and nobody knows the delay: of several messages the least delayed says most, and
 * it is the one that puts the server's clock furthest ahead. The last one would move every countdown with
 * each hiccup of the network.
 */

/** Seven messages at least come in this time; clocks drift by about a millisecond meanwhile. */
const WINDOW_MS = 60_000

export type ClockOffset = {
  /** A message said that it was `serverMs`, and was read at `receivedMs` by this machine's clock. */
  observe: (serverMs: number, receivedMs: number) => void
  /** To be added to this machine's clock; 0 before the first message. */
  offsetMs: () => number
}

export function createClockOffset(): ClockOffset {
  /** By time, with ever smaller differences: what is neither newer nor better than another can never count. */
  const candidates: { receivedMs: number; differenceMs: number }[] = []
  let offsetMs = 0
  return {
    observe(serverMs, receivedMs) {
      const differenceMs = serverMs - receivedMs
      // After this machine's clock was set, earlier readings are from the future or long ago.
      const isRecent = (atMs: number) => atMs <= receivedMs && receivedMs - atMs < WINDOW_MS
      while (candidates[0] && !isRecent(candidates[0].receivedMs)) candidates.shift()
      for (let last = candidates.at(-1); last; last = candidates.at(-1)) {
        if (last.differenceMs > differenceMs) break
        candidates.pop()
      }
      candidates.push({ receivedMs, differenceMs })
      offsetMs = candidates[0]?.differenceMs ?? differenceMs
    },
    offsetMs: () => offsetMs,
  }
}
