/**
 * The latest changes of an item, for those who come back: what happened after the bid they saw last. It can
 * tell only what it has seen from end to end; for anything older there is the snapshot.
 */
import type { Frame } from '../streams/frame.ts'

/** A reconnect takes about a second; this is one second of a very hot item. Encoded, about 100 kB. */
const CHANGES_MAX = 128

type Entry = {
  sequence: bigint
  /** A bid, what it did to the end, or any other change. */
  kind: 'bid' | 'end' | 'other'
  frame: Frame
}

export type Replay = {
  add: (entry: Entry) => void
  /**
   * What came after bid number `sequence`, in order. That this very bid moved the end is told again: the
   * connection may have been lost between the two. Undefined when the bid is older than what is kept, or
   * when it cannot be said which of the other changes after it were seen.
   */
  after: (sequence: bigint) => Frame[] | undefined
}

/** @param start the sequence before the first entry: bids up to it were not seen here */
export function createReplay(start: bigint): Replay {
  const entries: Entry[] = []
  let floor = start
  return {
    add(entry) {
      entries.push(entry)
      if (entries.length > CHANGES_MAX) floor = entries.shift()?.sequence ?? floor
    },
    after(sequence) {
      // Other changes may have been forgotten with the bid at the floor.
      if (sequence <= floor) return undefined
      const since = entries.filter((entry) => entry.sequence >= sequence && !isBid(entry, sequence))
      if (since.some((entry) => entry.sequence === sequence && entry.kind === 'other'))
        return undefined
      return since.map(({ frame }) => frame)
    },
  }
}

function isBid(entry: Entry, sequence: bigint): boolean {
  return entry.kind === 'bid' && entry.sequence === sequence
}
