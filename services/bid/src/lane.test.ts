import { describe, expect, it } from 'vitest'
import { setTimeout as sleep } from 'node:timers/promises'
import { createLane } from './lane.ts'
import {
  BUSY,
  DroppedError,
  HeldTooLongError,
  LaneFullError,
  type LaneOptions,
} from './lane-entry.ts'

/** A commit that waits to be let through, batch by batch. */
function gatedCommit() {
  const batches: { entries: readonly number[]; pass: () => void; fail: (error: Error) => void }[] =
    []
  const arrivals: (() => void)[] = []
  const commit = (entries: readonly number[]) =>
    new Promise<number[]>((resolve, reject) => {
      batches.push({ entries, pass: () => resolve(entries.map((n) => n * 10)), fail: reject })
      arrivals.shift()?.()
    })
  const nextBatch = async (index: number) => {
    while (batches.length <= index) await new Promise<void>((resolve) => arrivals.push(resolve))
    return batches[index] as (typeof batches)[number]
  }
  return { commit, nextBatch, batches }
}

const never = () => false

/** What a lane needs whose keys nobody else holds: each entry has its own. */
const alone: Pick<LaneOptions<number, number>, 'keyOf' | 'commitBusy' | 'maxHeldMs'> = {
  keyOf: String,
  commitBusy: () => Promise.reject(new Error('nothing is busy')),
  maxHeldMs: 60_000,
}

/**
 * Somebody else's locks on keys: `held` ones are never granted, `passing` ones to whoever waits. Entries are
 * numbers, their key is the hundreds.
 */
function lockedKeys(maxHeldMs = 60_000) {
  const held = new Set<string>()
  const passing = new Set<string>()
  const decided: number[] = []
  const looks: number[][] = []
  const keyOf = (entry: number) => String(Math.floor(entry / 100))
  const decide = (entries: readonly number[], isBusy: (key: string) => boolean) =>
    entries.map((entry) => {
      if (isBusy(keyOf(entry))) return BUSY
      decided.push(entry)
      return entry * 10
    })
  const lane = createLane<number, number>({
    keyOf,
    maxHeldMs,
    isBatchFatal: never,
    async commit(entries) {
      await Promise.resolve()
      return decide(entries, (key) => held.has(key) || passing.has(key))
    },
    async commitBusy(waitFor, entries) {
      looks.push([...entries])
      await sleep(1)
      return decide(entries, (key) => held.has(key) || (passing.has(key) && !waitFor.has(key)))
    },
  })
  return { lane, held, passing, decided, looks }
}

describe('a lane', () => {
  it('starts at once with a lone entry, and makes what arrives meanwhile the next batch', async () => {
    const { commit, nextBatch, batches } = gatedCommit()
    const lane = createLane({ ...alone, commit, isBatchFatal: never })
    const first = lane.submit(1)
    const batch = await nextBatch(0)
    expect(batch.entries).toEqual([1])

    const others = [2, 3, 4].map((n) => lane.submit(n))
    expect(batches).toHaveLength(1)
    batch.pass()
    expect(await first).toBe(10)
    const second = await nextBatch(1)
    expect(second.entries).toEqual([2, 3, 4])
    second.pass()
    expect(await Promise.all(others)).toEqual([20, 30, 40])
    await lane.idle()
  })

  it('cuts batches at the limit', async () => {
    const sizes: number[] = []
    const lane = createLane<number, number>({
      ...alone,
      commit: async (entries) => entries.slice(),
      isBatchFatal: never,
      maxBatch: 2,
      onBatch: (size) => sizes.push(size),
    })
    await Promise.all([1, 2, 3, 4, 5].map((n) => lane.submit(n)))
    expect(sizes).toEqual([1, 2, 2])
  })

  it('refuses more than it may keep waiting', async () => {
    const lane = createLane<number, number>({
      ...alone,
      commit: async (entries) => entries.slice(),
      isBatchFatal: never,
      maxWaiting: 2,
    })
    const kept = [lane.submit(1), lane.submit(2), lane.submit(3)]
    await expect(lane.submit(4)).rejects.toThrow(LaneFullError)
    expect(await Promise.all(kept)).toEqual([1, 2, 3])
  })

  it('drops an entry whose caller left before the batch formed, never after', async () => {
    const { commit, nextBatch } = gatedCommit()
    const lane = createLane({ ...alone, commit, isBatchFatal: never })
    const inFlight = new AbortController()
    const waiting = new AbortController()
    const first = lane.submit(1, inFlight.signal)
    const batch = await nextBatch(0)
    const left = lane.submit(2, waiting.signal)
    const stays = lane.submit(3)
    inFlight.abort()
    waiting.abort()
    const dropped = left.catch((error: unknown) => error)
    batch.pass()
    expect(await first).toBe(10)
    expect(await dropped).toBeInstanceOf(DroppedError)
    expect(await dropped).toMatchObject({ name: 'AbortError' })
    const second = await nextBatch(1)
    expect(second.entries).toEqual([3])
    second.pass()
    expect(await stays).toBe(30)
  })

  it('is idle when everybody has been answered', async () => {
    const { commit, nextBatch } = gatedCommit()
    const lane = createLane({ ...alone, commit, isBatchFatal: never })
    let isAnswered = false
    const first = lane.submit(1).then(() => (isAnswered = true))
    const batch = await nextBatch(0)
    // Its answer waits for a next batch, which does not come about.
    const left = lane.submit(2, AbortSignal.abort()).catch((error: unknown) => error)
    batch.pass()
    await lane.idle()
    expect(isAnswered).toBe(true)
    expect(await left).toBeInstanceOf(DroppedError)
    await first
  })

  it('commits one by one what failed together, so that only the bad entry fails', async () => {
    const lane = createLane<number, number>({
      ...alone,
      commit: async (entries) => {
        if (entries.includes(13)) throw new Error('bad entry')
        return entries.slice()
      },
      isBatchFatal: never,
    })
    const results = await Promise.allSettled([1, 13, 2].map((n) => lane.submit(n)))
    expect(results.map((result) => result.status)).toEqual(['fulfilled', 'rejected', 'fulfilled'])
  })

  it('fails the whole batch at once when no entry could do better alone, and goes on after', async () => {
    let unavailable = true
    let calls = 0
    const lane = createLane<number, number>({
      ...alone,
      commit: async (entries) => {
        calls += 1
        if (unavailable) throw new Error('database unavailable')
        return entries.slice()
      },
      isBatchFatal: () => true,
    })
    const results = await Promise.allSettled([1, 2, 3].map((n) => lane.submit(n)))
    expect(results.every((result) => result.status === 'rejected')).toBe(true)
    // The lone first, then the two others together; none of them alone.
    expect(calls).toBe(2)
    unavailable = false
    expect(await lane.submit(4)).toBe(4)
  })
})

describe('a busy key', () => {
  it('holds up nobody else, and its entries are decided in order of arrival when it is free', async () => {
    const { lane, held, decided } = lockedKeys()
    held.add('1')
    const waiting = [101, 102].map((entry) => lane.submit(entry))
    expect(await Promise.all([201, 301].map((entry) => lane.submit(entry)))).toEqual([2010, 3010])
    waiting.push(lane.submit(103))
    expect(await lane.submit(202)).toBe(2020)
    expect(decided).toEqual([201, 301, 202])
    held.delete('1')
    expect(await Promise.all(waiting)).toEqual([1010, 1020, 1030])
    expect(decided.slice(3)).toEqual([101, 102, 103])
    await lane.idle()
  })

  it('is waited for while its holder is passing, with all its entries together', async () => {
    const { lane, passing, decided, looks } = lockedKeys()
    passing.add('1')
    const first = await Promise.all([101, 102, 103].map((entry) => lane.submit(entry)))
    expect(first).toEqual([1010, 1020, 1030])
    expect(looks).toEqual([[101, 102, 103]])
    // What two processes want now they will want again: no detour by the lane.
    passing.delete('1')
    await lane.submit(104)
    expect(looks).toEqual([[101, 102, 103], [104]])
    expect(decided).toEqual([101, 102, 103, 104])
  })

  it('that is held is looked at with one entry, beside others that are waited for', async () => {
    const { lane, held, passing, looks } = lockedKeys()
    held.add('1')
    passing.add('2')
    const waiting = [101, 102].map((entry) => lane.submit(entry))
    await Promise.all([201, 202].map((entry) => lane.submit(entry)))
    while (looks.length < 4) await sleep(5)
    expect(looks.slice(-2)).toEqual([[101], [101]])
    held.clear()
    expect(await Promise.all(waiting)).toEqual([1010, 1020])
  })

  it('fails its entries when it is held for too long, and drops those whose callers leave', async () => {
    const { lane, held, decided } = lockedKeys(200)
    held.add('1')
    const caller = new AbortController()
    const left = lane.submit(101, caller.signal)
    const late = lane.submit(102)
    caller.abort()
    await expect(left).rejects.toThrow(DroppedError)
    await expect(late).rejects.toThrow(HeldTooLongError)
    expect(decided).toEqual([])
    held.clear()
    expect(await lane.submit(103)).toBe(1030)
    await lane.idle()
  })
})
