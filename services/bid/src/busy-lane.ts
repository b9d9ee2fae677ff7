/**
 * Beside a lane: what waits for a key that somebody else holds. Two kinds of holders are told apart. A
 * passing one (another process bidding on the same item) is waited for, in the queue of the row's lock, which
 * is fair and costs no polling. One that does not let go in a fraction of a second (a transaction that was forgotten, a process
 * that was stopped) is only looked at now and then, with a single entry, so that it holds up nobody else.
 *
 * passing → (not granted while `commitBusy` waits) → held → (granted at a look) → passing
 */
import { setTimeout as sleep } from 'node:timers/promises'
import {
  commitAndAnswer,
  HeldTooLongError,
  LaneFullError,
  type LaneOptions,
  type Waiting,
  withoutLapsed,
} from './lane-entry.ts'

/** Between two looks at a key that is held. */
const LOOK_MS = 25
/**
 * A key stays here for as long after it was found busy: what two processes want now they will want again,
 * and finding that out costs a lane two round trips.
 */
const STAY_MS = 1_000
/** So many times what waits for one key may wait for all together: one of them cannot use it all up. */
const KEYS_WORTH_WAITING = 2

type Key<Entry, Outcome> = {
  waiting: Waiting<Entry, Outcome>[]
  /** Being committed. */
  inFlight: number
  held: boolean
  lookAtMs: number
  staysUntilMs: number
}

export type BusyLane<Entry, Outcome> = {
  /** Whether entries of this key belong here. */
  has(key: string): boolean
  /** Rejects the entry with {@link LaneFullError} when too many wait already. */
  add(entry: Waiting<Entry, Outcome>): void
  /** Tells those who have left or waited too long, and forgets keys nobody wants. */
  sweep(nowMs: number): void
  /** Keys here. */
  size(): number
  /** Undefined when nothing is waiting or being committed. */
  running(): Promise<void> | undefined
}

export function createBusyLane<Entry, Outcome>(
  options: LaneOptions<Entry, Outcome> & { maxBatch: number; maxWaiting: number },
): BusyLane<Entry, Outcome> {
  const { keyOf, isBatchFatal, maxBatch, maxWaiting, maxHeldMs } = options
  /** Whose turn is next comes first. */
  const keys = new Map<string, Key<Entry, Outcome>>()
  let waitingInAll = 0
  const heldTooLong = () => new HeldTooLongError(`somebody held the item for ${maxHeldMs} ms`)
  let running: Promise<void> | undefined

  async function run(): Promise<void> {
    // Those who step aside together are one batch.
    await Promise.resolve()
    while (waitingInAll > 0) {
      const batch = takeBatch(keys, maxBatch, performance.now())
      waitingInAll -= batch.length
      if (batch.length === 0) await sleep(LOOK_MS)
      else await commit(batch)
    }
    running = undefined
  }

  async function commit(batch: readonly Waiting<Entry, Outcome>[]): Promise<void> {
    const names = new Set(batch.map((each) => keyOf(each.entry)))
    options.onBatch?.(batch.length, performance.now() - (batch[0]?.sinceMs ?? 0))
    const passing = new Set([...names].filter((name) => keys.get(name)?.held === false))
    const busy = await commitAndAnswer(
      batch,
      (...entries) => options.commitBusy(passing, ...entries),
      isBatchFatal,
    )
    const busyByKey = Map.groupBy(busy, (each) => keyOf(each.entry))
    const nowMs = performance.now()
    for (const name of names) {
      const key = keys.get(name)
      if (key) comeBack(key, busyByKey.get(name) ?? [], nowMs)
    }
    waitingInAll += busy.length
  }

  function add(entry: Waiting<Entry, Outcome>): void {
    const name = keyOf(entry.entry)
    const key = keys.get(name) ?? newKey(performance.now())
    keys.set(name, key)
    if (key.waiting.length >= maxWaiting || waitingInAll >= maxWaiting * KEYS_WORTH_WAITING) {
      entry.reject(new LaneFullError(`${key.waiting.length} bids wait for the item already`))
      return
    }
    key.waiting.push(entry)
    waitingInAll += 1
    running ??= run()
  }

  return {
    has(name) {
      const key = keys.size > 0 ? keys.get(name) : undefined
      if (!key) return false
      if (!isForgotten(key, performance.now())) return true
      keys.delete(name)
      return false
    },
    add,
    sweep(nowMs) {
      for (const [name, key] of keys) {
        const before = key.waiting.length
        key.waiting = withoutLapsed(key.waiting, nowMs, maxHeldMs, heldTooLong)
        waitingInAll -= before - key.waiting.length
        if (isForgotten(key, nowMs)) keys.delete(name)
      }
    },
    size: () => keys.size,
    running: () => running,
  }
}

function newKey<Entry, Outcome>(nowMs: number): Key<Entry, Outcome> {
  return { waiting: [], inFlight: 0, held: false, lookAtMs: 0, staysUntilMs: nowMs + STAY_MS }
}

/** After a commit, with those that were busy. */
function comeBack<Entry, Outcome>(
  key: Key<Entry, Outcome>,
  busy: readonly Waiting<Entry, Outcome>[],
  nowMs: number,
): void {
  key.inFlight = 0
  key.held = busy.length > 0
  key.waiting.unshift(...busy)
  if (key.held) Object.assign(key, { lookAtMs: nowMs + LOOK_MS, staysUntilMs: nowMs + STAY_MS })
}

function isForgotten<Entry, Outcome>(key: Key<Entry, Outcome>, nowMs: number): boolean {
  return key.waiting.length === 0 && key.inFlight === 0 && nowMs >= key.staysUntilMs
}

/** All of passing keys, the first of held ones, as far as there is room; whoever had a turn goes to the end. */
function takeBatch<Entry, Outcome>(
  keys: Map<string, Key<Entry, Outcome>>,
  maxBatch: number,
  nowMs: number,
): Waiting<Entry, Outcome>[] {
  const batch: Waiting<Entry, Outcome>[] = []
  const turns = [...keys]
  for (const [name, key] of turns) {
    if (batch.length >= maxBatch) break
    if (key.held && nowMs < key.lookAtMs) continue
    const taken = key.waiting.splice(0, key.held ? 1 : maxBatch - batch.length)
    if (taken.length === 0) continue
    key.inFlight = taken.length
    batch.push(...taken)
    keys.delete(name)
    keys.set(name, key)
  }
  return batch
}
