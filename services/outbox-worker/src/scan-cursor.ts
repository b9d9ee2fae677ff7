/**
 * Where the scan of a shard may start. Dead rows pile up before the living ones whenever a long transaction
 * keeps vacuum away, and a scan from the beginning would walk over all of them each time.
 *
 * The cursor is a fact about the table, not about who published what: *no row at or below it exists, or will
 * ever be committed*. That is what makes it safe: another relay may have moved on meanwhile (then the cursor is
 * merely low), and no row of an item can appear behind it while a later one of the same item is read before it.
 * The last deleted `seq` is no such fact, because a transaction that drew a lower one may commit later. It
 * becomes one when every transaction that was running when it was read has ended: they had drawn their `seq`
 * by then, and any other draws a higher one. So a position is first marked, and only trusted (after a read that
 * saw everything those transactions committed) once the oldest running transaction is younger than the mark.
 *
 * One gap remains: a transaction that draws its `seq` before it has an id, for the microseconds between the two.
 * For it, and for a restored or failed-over database, the relay sweeps from the beginning every second.
 */

export type ScanCursor = {
  /** Scans start behind this `seq`. */
  after: bigint
  /** The next position, and the transaction id that must be the oldest running for it to be trusted. */
  mark?: { seq: bigint; nextXid: bigint }
}

/** A read of the shard from a cursor or from the beginning, whose rows have all been published and deleted. */
export type DrainedRead = {
  lastSeq: bigint
  /** The read was cut off by its limit: there may be more rows behind `lastSeq`. */
  full: boolean
  oldestRunning: bigint
  nextXid: bigint
}

export const startOfShard: ScanCursor = { after: 0n }

/** The cursor after such a read. */
export function moveCursor(cursor: ScanCursor, read: DrainedRead): ScanCursor {
  const next = { seq: read.lastSeq, nextXid: read.nextXid }
  const { mark } = cursor
  if (mark === undefined) return { after: cursor.after, mark: next }
  const ended = read.oldestRunning >= mark.nextXid
  const sawAll = !read.full || read.lastSeq >= mark.seq
  // The older mark is kept until it can be trusted: a younger one would wait for younger transactions too.
  if (!ended || !sawAll) return cursor
  const trusted = { after: mark.seq > cursor.after ? mark.seq : cursor.after }
  return next.seq > trusted.after ? { ...trusted, mark: next } : trusted
}
