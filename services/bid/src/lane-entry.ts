/**
 * What waits in a lane, and how a batch of it is committed and answered. An entry is answered after its
 * batch is committed, or dropped before it is decided: never after.
 */
import { ContentionError, OverloadedError } from '@bidmesh/platform/process/errors.ts'

/** What `commit` says of an entry when somebody else holds what it needs. Nothing was done with it. */
export const BUSY = Symbol('busy')
/** What `commit` says of an entry whose caller had left when it was to be decided. */
export const LEFT = Symbol('left')

/** The lane has all the waiting it will take. Nothing was done with the entry. */
export class LaneFullError extends OverloadedError {
  override name = 'LaneFullError'
}

/** Somebody else held the key for all the time an entry may wait. Nothing was done with the entry. */
export class HeldTooLongError extends ContentionError {
  override name = 'HeldTooLongError'
}

/** The caller left or its deadline passed before the entry was decided. Nothing was done with it. */
export class DroppedError extends Error {
  /** The name by which the server tells a caller who left from a fault of ours. */
  override name = 'AbortError'

  constructor() {
    super('the caller left before the bid was decided')
  }
}

export type Waiting<Entry, Outcome> = {
  entry: Entry
  signal: AbortSignal | undefined
  sinceMs: number
  /** How often it was found busy. */
  busy: number
  resolve: (outcome: Outcome) => void
  reject: (error: unknown) => void
}

/**
 * Commits a batch and returns an outcome for each entry, in order.
 *
 * @param hasLeft whether the caller of the entry with this index has left: asked when it is decided
 */
export type Commit<Entry, Outcome> = (
  batch: readonly Entry[],
  hasLeft: (index: number) => boolean,
) => Promise<readonly (Outcome | typeof BUSY | typeof LEFT)[]>

export type LaneOptions<Entry, Outcome> = {
  /** What entries get in each other's way about. */
  keyOf: (entry: Entry) => string
  /** Must not wait for a key that somebody else holds: `BUSY` is the answer for its entries. */
  commit: Commit<Entry, Outcome>
  /**
   * The same for keys that were busy, beside `commit`. Waits for the keys in `waitFor`, but not for long;
   * those it did not get are `BUSY`.
   */
  commitBusy: (
    waitFor: ReadonlySet<string>,
    ...batch: Parameters<Commit<Entry, Outcome>>
  ) => ReturnType<Commit<Entry, Outcome>>
  /** A failure of the whole batch that must not be followed by a try of each entry alone. */
  isBatchFatal: (error: unknown) => boolean
  /** Longest an entry waits for a busy key. */
  maxHeldMs: number
  maxBatch?: number
  maxWaiting?: number
  /** Told of each batch taken: how many entries, and how long the first of them waited. */
  onBatch?: (size: number, waitedMs: number) => void
}

/**
 * Answers all but those that are busy, which it returns in their order.
 *
 * @param then calls back when the answers may go out; absent: at once
 */
export async function commitAndAnswer<Entry, Outcome>(
  batch: readonly Waiting<Entry, Outcome>[],
  commit: Commit<Entry, Outcome>,
  isBatchFatal: (error: unknown) => boolean,
  then: (answerAll: () => void) => void = (answerAll) => answerAll(),
): Promise<Waiting<Entry, Outcome>[]> {
  try {
    const outcomes = await commit(
      batch.map((each) => each.entry),
      (index) => batch[index]?.signal?.aborted === true,
    )
    if (outcomes.length !== batch.length) throw new Error('commit must answer every entry')
    then(() => {
      for (const [index, each] of batch.entries()) answer(each, outcomes[index])
    })
    return batch.filter((_, index) => outcomes[index] === BUSY)
  } catch (error) {
    if (batch.length === 1 || isBatchFatal(error)) {
      for (const each of batch) each.reject(error)
      return []
    }
    // One entry that the database refuses must not fail its neighbours.
    const busy: Waiting<Entry, Outcome>[] = []
    for (const each of batch) busy.push(...(await commitAndAnswer([each], commit, isBatchFatal)))
    return busy
  }
}

function answer<Entry, Outcome>(
  waiting: Waiting<Entry, Outcome>,
  outcome: Outcome | typeof BUSY | typeof LEFT | undefined,
): void {
  if (outcome === BUSY) return
  if (outcome === LEFT) waiting.reject(new DroppedError())
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- the lengths were compared
  else waiting.resolve(outcome as Outcome)
}

/**
 * Rejects those whose callers have left, and those who have waited for longer than `limitMs` with
 * `late`; returns the rest in their order.
 */
export function withoutLapsed<Entry, Outcome>(
  waiting: Waiting<Entry, Outcome>[],
  nowMs: number,
  limitMs: number,
  late: () => Error,
): Waiting<Entry, Outcome>[] {
  const isLapsed = ({ signal, sinceMs }: Waiting<Entry, Outcome>) =>
    signal?.aborted === true || nowMs - sinceMs > limitMs
  if (!waiting.some(isLapsed)) return waiting
  return waiting.filter((each) => {
    if (!isLapsed(each)) return true
    each.reject(each.signal?.aborted ? new DroppedError() : late())
    return false
  })
}
