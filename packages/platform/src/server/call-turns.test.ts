import { setTimeout as sleep } from 'node:timers/promises'
import { expect, it } from 'vitest'
import { createCallTurns } from './call-turns.ts'
import { eventually } from '../testing/eventually.ts'

function turnsOf() {
  const state = { urgentInHand: false, full: false }
  const turns = createCallTurns({
    isUrgentInHand: () => state.urgentInHand,
    isFull: () => state.full,
  })
  return { state, turns }
}

it('begins everything, in the order in which it came', async () => {
  const { turns } = turnsOf()
  const begun: number[] = []
  for (let call = 0; call < 1_000; call += 1) turns.other(() => begun.push(call))
  expect(begun).toEqual([])
  await eventually(() => expect(begun).toHaveLength(1_000))
  expect(begun).toEqual(Array.from({ length: 1_000 }, (_, call) => call))
})

it('an urgent call passes by what waits', async () => {
  const { turns } = turnsOf()
  let begun = 0
  for (let call = 0; call < 1_000; call += 1) turns.other(() => (begun += 1))
  const before = await new Promise<number>((resolve) => turns.urgent(() => resolve(begun)))
  expect(before).toBeLessThan(100)
})

it('what a call sets off counts to its turn: others are let in after a few slow ones', async () => {
  const { turns } = turnsOf()
  let begun = 0
  const slow = async (): Promise<void> => {
    begun += 1
    await Promise.resolve()
    const endMs = performance.now() + 5
    while (performance.now() < endMs);
  }
  for (let call = 0; call < 20; call += 1) turns.other(slow)
  await new Promise((resolve) => setTimeout(resolve, 1))
  expect(begun).toBeLessThan(5)
  await eventually(() => expect(begun).toBe(20))
})

it('pauses beside an urgent call, and begins nothing while it is full', async () => {
  const { state, turns } = turnsOf()
  let begun = 0
  for (let call = 0; call < 100; call += 1) turns.other(() => (begun += 1))
  state.urgentInHand = true
  state.full = true
  await sleep(20)
  expect(begun).toBe(0)
  state.full = false
  await eventually(() => expect(begun).toBe(100))
})

it('what is begun by what was begun waits its turn', async () => {
  const { turns } = turnsOf()
  const begun: string[] = []
  turns.other(() => {
    begun.push('first')
    turns.other(() => begun.push('third'))
  })
  turns.other(() => begun.push('second'))
  await eventually(() => expect(begun).toEqual(['first', 'second', 'third']))
})

it('what brings more calls waits for those that wait, and is not forgotten', async () => {
  const { turns } = turnsOf()
  let [brought, waiting, most] = [0, 0, 0]
  const call = () => (waiting -= 1)
  const piece = () => {
    brought += 1
    for (let count = 0; count < 20; count += 1) turns.other(call)
    waiting += 20
    most = Math.max(most, waiting)
  }
  for (let count = 0; count < 500; count += 1) turns.source(piece)
  await eventually(() => expect([brought, waiting]).toEqual([500, 0]))
  expect(most).toBeLessThan(100)
  const busy = () => turns.other(busy)
  busy()
  await new Promise<void>((resolve) => turns.source(resolve))
})
