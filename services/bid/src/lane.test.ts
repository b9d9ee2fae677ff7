import { describe, expect, it } from 'vitest'
import { createLane, DroppedError, LaneFullError } from './lane.ts'

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

describe('a lane', () => {
  it('starts at once with a lone entry, and makes what arrives meanwhile the next batch', async () => {
    const { commit, nextBatch, batches } = gatedCommit()
    const lane = createLane({ commit, isBatchFatal: never })
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
    const lane = createLane({ commit, isBatchFatal: never })
    const inFlight = new AbortController()
    const waiting = new AbortController()
    const first = lane.submit(1, inFlight.signal)
    const batch = await nextBatch(0)
    const left = lane.submit(2, waiting.signal)
    const stays = lane.submit(3)
    inFlight.abort()
    waiting.abort()
    batch.pass()
    expect(await first).toBe(10)
    await expect(left).rejects.toThrow(DroppedError)
    await expect(left).rejects.toMatchObject({ name: 'AbortError' })
    const second = await nextBatch(1)
    expect(second.entries).toEqual([3])
    second.pass()
    expect(await stays).toBe(30)
  })

  it('commits one by one what failed together, so that only the bad entry fails', async () => {
    const lane = createLane<number, number>({
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
    let away = true
    let calls = 0
    const lane = createLane<number, number>({
      commit: async (entries) => {
        calls += 1
        if (away) throw new Error('database away')
        return entries.slice()
      },
      isBatchFatal: () => true,
    })
    const results = await Promise.allSettled([1, 2, 3].map((n) => lane.submit(n)))
    expect(results.every((result) => result.status === 'rejected')).toBe(true)
    // The lone first, then the two others together; none of them alone.
    expect(calls).toBe(2)
    away = false
    expect(await lane.submit(4)).toBe(4)
  })
})
