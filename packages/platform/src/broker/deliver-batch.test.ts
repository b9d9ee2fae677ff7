import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { backoffMs, deliverBatch } from './deliver-batch.ts'
import type { Delivery } from './deliver-batch.ts'
import { TransientError } from '../process/errors.ts'

function delivery(over: Partial<Delivery<number>>): Delivery<number> {
  return {
    handle: () => Promise.resolve(),
    deadLetter: () => Promise.resolve(),
    settled: () => undefined,
    retrying: () => undefined,
    signal: new AbortController().signal,
    sleep: () => Promise.resolve(),
    random: () => 0.5,
    ...over,
  }
}

describe('deliverBatch', () => {
  test('random poison and random transient failures: all settle once, in order, on the right side', async () => {
    const scenario = fc.record({
      size: fc.integer({ min: 0, max: 60 }),
      poison: fc.uniqueArray(fc.integer({ min: 0, max: 59 }), { maxLength: 8 }),
      handlerFails: fc.infiniteStream(fc.boolean()),
      deadLetterFails: fc.infiniteStream(fc.boolean()),
    })
    await fc.assert(
      fc.asyncProperty(scenario, async ({ size, poison, handlerFails, deadLetterFails }) => {
        const batch = Array.from({ length: size }, (_, index) => index)
        const bad = new Set(poison.filter((event) => event < size))
        const handled: number[] = []
        const dead: number[] = []
        const settled: number[] = []
        await deliverBatch(
          batch,
          delivery({
            handle: async (part) => {
              if (handlerFails.next().value) throw new TransientError('database unavailable')
              if (part.some((event) => bad.has(event))) throw new Error('undecodable')
              handled.push(...part)
            },
            deadLetter: async (event, error) => {
              if (deadLetterFails.next().value) throw new Error('broker unavailable')
              expect(error).toMatchObject({ message: 'undecodable' })
              dead.push(event)
            },
            settled: (events) => settled.push(...events),
          }),
        )
        expect(handled).toEqual(batch.filter((event) => !bad.has(event)))
        expect(dead).toEqual(batch.filter((event) => bad.has(event)))
        expect(settled).toEqual(batch)
      }),
    )
  })

  test('one poison event in 1,024 costs about two calls per halving, not one per event', async () => {
    let calls = 0
    await deliverBatch(
      Array.from({ length: 1_024 }, (_, index) => index),
      delivery({
        handle: async (part) => {
          calls += 1
          if (part.includes(700)) throw new Error('poison')
        },
      }),
    )
    expect(calls).toBe(21)
  })

  test('a transient failure waits longer each time and tries the same batch', async () => {
    const waits: number[] = []
    const seen: number[][] = []
    await deliverBatch(
      [1, 2, 3],
      delivery({
        handle: async (part) => {
          seen.push([...part])
          if (seen.length < 4) throw new TransientError('database unavailable')
        },
        sleep: async (ms) => {
          waits.push(ms)
        },
        deadLetter: () => expect.unreachable(),
      }),
    )
    expect(seen).toEqual([
      [1, 2, 3],
      [1, 2, 3],
      [1, 2, 3],
      [1, 2, 3],
    ])
    expect(waits).toEqual([37.5, 75, 150])
  })

  test('stopping between attempts leaves the rest unsettled', async () => {
    const stop = new AbortController()
    const settled: number[] = []
    await deliverBatch(
      [1, 2],
      delivery({
        handle: async (part) => {
          if (part.length > 1) throw new Error('halve me')
          if (part.includes(2)) throw new TransientError('database unavailable')
        },
        settled: (events) => settled.push(...events),
        sleep: async () => stop.abort(),
        signal: stop.signal,
      }),
    )
    expect(settled).toEqual([1])
  })
})

test('backoffMs stays within half the ceiling and the ceiling, and is capped', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 10_000 }),
      fc.double({ min: 0, max: 0.999, noNaN: true }),
      (n, r) => {
        const limits = { minMs: 10, maxMs: 2_000 }
        const ceiling = Math.min(2_000, 10 * 2 ** (n - 1))
        const ms = backoffMs(n, () => r, limits)
        expect(ms).toBeGreaterThanOrEqual(ceiling / 2)
        expect(ms).toBeLessThan(ceiling)
      },
    ),
  )
})
