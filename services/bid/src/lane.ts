/**
 * A lane turns single submissions into batches: at most one batch is being committed, what arrives
 * meanwhile is the next one. There is no timer: an idle lane starts with what it has, so a lone bid waits
 * for nothing and a crowd shares one transaction. Knows nothing of SQL; the batch is committed by `commit`.
 *
 * idle → (submit) → committing → (done, nobody waits) → idle
 *                        └────── (done, some wait) ──→ committing
 *
 * An entry is answered after its batch is committed, or dropped before its batch forms: never after.
 */

/** Most entries in one batch: at 512 one transaction takes about 20 ms, longer ones only add latency. */
export const MAX_BATCH = 512

/** Most entries waiting in one lane: about 200 ms of work on a busy lane; more would wait to time out. */
export const MAX_WAITING = 4_096

/** The lane has all the waiting it will take. Nothing was done with the entry. */
export class LaneFullError extends Error {
  override name = 'LaneFullError'
}

/** The caller left or its deadline passed before the batch formed. Nothing was done with the entry. */
export class DroppedError extends Error {
  /** The name by which the server tells a caller who left from a fault of ours. */
  override name = 'AbortError'
}

export type Lane<Entry, Outcome> = {
  /**
   * Resolves with the entry's outcome once its batch is committed. Rejects with {@link LaneFullError},
   * {@link DroppedError}, or with what `commit` threw.
   */
  submit(entry: Entry, signal?: AbortSignal): Promise<Outcome>
  /** Resolves when nothing is waiting or being committed. */
  idle(): Promise<void>
}

export type LaneOptions<Entry, Outcome> = {
  /** Commits a batch and returns an outcome for each entry, in order. */
  commit: (batch: readonly Entry[]) => Promise<readonly Outcome[]>
  /** A failure of the whole batch that must not be followed by a try of each entry alone. */
  isBatchFatal: (error: unknown) => boolean
  maxBatch?: number
  maxWaiting?: number
  /** Told of each batch taken: how many entries, and how long the first of them waited. */
  onBatch?: (size: number, waitedMs: number) => void
}

type Waiting<Entry, Outcome> = {
  entry: Entry
  signal: AbortSignal | undefined
  sinceMs: number
  resolve: (outcome: Outcome) => void
  reject: (error: unknown) => void
}

export function createLane<Entry, Outcome>(
  options: LaneOptions<Entry, Outcome>,
): Lane<Entry, Outcome> {
  const maxBatch = options.maxBatch ?? MAX_BATCH
  const maxWaiting = options.maxWaiting ?? MAX_WAITING
  let waiting: Waiting<Entry, Outcome>[] = []
  let running: Promise<void> | undefined

  async function run(): Promise<void> {
    while (waiting.length > 0) {
      const batch = takeBatch()
      if (batch.length > 0) await commitAndAnswer(batch)
    }
    running = undefined
  }

  function takeBatch(): Waiting<Entry, Outcome>[] {
    const taken = waiting.slice(0, maxBatch)
    waiting = waiting.slice(maxBatch)
    const batch = taken.filter((each) => {
      if (!each.signal?.aborted) return true
      each.reject(new DroppedError('the caller left before the bid was decided'))
      return false
    })
    const first = batch[0]
    if (first) options.onBatch?.(batch.length, performance.now() - first.sinceMs)
    return batch
  }

  async function commitAndAnswer(batch: readonly Waiting<Entry, Outcome>[]): Promise<void> {
    try {
      const outcomes = await options.commit(batch.map((each) => each.entry))
      if (outcomes.length !== batch.length) throw new Error('commit must answer every entry')
      // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- the lengths were compared
      batch.forEach((each, index) => each.resolve(outcomes[index] as Outcome))
    } catch (error) {
      if (batch.length === 1 || options.isBatchFatal(error)) {
        for (const each of batch) each.reject(error)
        return
      }
      // One entry that the database refuses must not fail its neighbours.
      for (const each of batch) await commitAndAnswer([each])
    }
  }

  return {
    submit(entry, signal) {
      if (waiting.length >= maxWaiting) {
        return Promise.reject(new LaneFullError(`${waiting.length} bids are waiting already`))
      }
      return new Promise<Outcome>((resolve, reject) => {
        waiting.push({ entry, signal, sinceMs: performance.now(), resolve, reject })
        running ??= run()
      })
    },
    async idle() {
      while (running) await running
    },
  }
}
