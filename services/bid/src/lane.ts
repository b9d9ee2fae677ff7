/**
 * A lane turns single submissions into batches: at most one batch is being committed, what arrives
 * meanwhile is the next one. There is no timer: an idle lane starts with what it has, so a lone bid waits
 * for nothing and a crowd shares one transaction. Knows nothing of SQL; the batch is committed by `commit`.
 *
 * idle → (submit) → committing → (done, nobody waits) → idle
 *                        └────── (done, some wait) ──→ committing
 *
 * A lane waits for nobody: what `commit` finds busy comes with the next batch again, and from then on waits
 * beside the lane (`busy-lane.ts`), together with whatever else wants the same key. So entries of one key
 * are decided in order of arrival, and those of other keys are not held up.
 */
import { TransientError } from '@bidmesh/platform/process/errors.ts'
import { createBusyLane } from './busy-lane.ts'
import {
  commitAndAnswer,
  LaneFullError,
  type LaneOptions,
  type Waiting,
  withoutLapsed,
} from './lane-entry.ts'

/** Most entries in one batch: at 512 one transaction takes about 20 ms, longer ones only add latency. */
export const MAX_BATCH = 512

/** Most entries waiting in one lane: about 200 ms of work on a busy lane; more would wait to time out. */
export const MAX_WAITING = 4_096

/** An entry that was not even begun by then meets a database that stands still. */
const MAX_WAIT_MS = 5_000

/** How soon whoever leaves a queue, or has waited too long in it, is told so. */
const SWEEP_MS = 100

export type Lane<Entry, Outcome> = {
  /**
   * Resolves with the entry's outcome once its batch is committed. Rejects with {@link LaneFullError},
   * `DroppedError`, `HeldTooLongError`, a TransientError when it was not begun in time, or with what
   * `commit` threw.
   */
  submit(entry: Entry, signal?: AbortSignal): Promise<Outcome>
  /** Resolves when nothing is waiting or being committed. */
  idle(): Promise<void>
}

export function createLane<Entry, Outcome>(
  options: LaneOptions<Entry, Outcome>,
): Lane<Entry, Outcome> {
  const { keyOf, isBatchFatal, maxBatch = MAX_BATCH, maxWaiting = MAX_WAITING } = options
  const aside = createBusyLane({ ...options, maxBatch, maxWaiting })
  let waiting: Waiting<Entry, Outcome>[] = []
  let running: Promise<void> | undefined
  let sweeping: NodeJS.Timeout | undefined

  async function run(): Promise<void> {
    while (waiting.length > 0) {
      const nowMs = performance.now()
      const batch = withoutLapsed(waiting.slice(0, maxBatch), nowMs, MAX_WAIT_MS, notBegun)
      waiting = waiting.slice(maxBatch)
      const first = batch[0]
      if (!first) continue
      options.onBatch?.(batch.length, nowMs - first.sinceMs)
      const busy = await commitAndAnswer(batch, options.commit, isBatchFatal, (answerAll) => {
        if (waiting.length > 0) afterNextBatch(answerAll)
        else answerAll()
      })
      if (busy.length > 0) comeAgain(busy)
    }
    running = undefined
  }

  /**
   * With the next batch, at once: when two processes bid on many items, most that were busy are free by
   * then, and stay in a batch with others. Whoever is busy again steps aside, with all who came after.
   */
  function comeAgain(busy: readonly Waiting<Entry, Outcome>[]): void {
    for (const each of busy) each.busy += 1
    const keys = new Set(busy.filter((each) => each.busy > 1).map((each) => keyOf(each.entry)))
    const all = [...busy, ...waiting]
    waiting = all.filter((each) => !keys.has(keyOf(each.entry)))
    for (const each of all) if (keys.has(keyOf(each.entry))) aside.add(each)
  }

  function sweep(): void {
    sweeping = undefined
    const nowMs = performance.now()
    waiting = withoutLapsed(waiting, nowMs, MAX_WAIT_MS, notBegun)
    aside.sweep(nowMs)
    if (running || aside.size() > 0) sweepLater()
  }

  function sweepLater(): void {
    sweeping ??= setTimeout(sweep, SWEEP_MS).unref()
  }

  return {
    submit(entry, signal) {
      return new Promise<Outcome>((resolve, reject) => {
        const each = { entry, signal, sinceMs: performance.now(), busy: 0, resolve, reject }
        sweepLater()
        if (aside.has(keyOf(entry))) aside.add(each)
        else if (waiting.length >= maxWaiting) {
          reject(new LaneFullError(`${waiting.length} bids are waiting already`))
        } else {
          waiting.push(each)
          running ??= run()
        }
      })
    },
    async idle() {
      while (running || aside.running()) await Promise.all([running, aside.running()])
      // Answers may still be on their way.
      await new Promise<void>((resolve) => afterNextBatch(resolve))
    },
  }
}

/**
 * When the next batch is on its way: to answer a hundred takes milliseconds, in which the database would have nothing to do
 * (a hot item has a fifth more bids). What is sent in this turn of the loop goes out with the immediates that come first.
 */
function afterNextBatch(answerAll: () => void): void {
  process.nextTick(() => setImmediate(answerAll))
}

function notBegun(): Error {
  return new TransientError(`the database did not take the bid within ${MAX_WAIT_MS} ms`)
}
