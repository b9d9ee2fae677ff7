import { Socket } from 'node:net'
import { expect, it } from 'vitest'
import { createBodyBudget, REQUEST_BYTES } from './body-budget.ts'

const KiB = 1024

function budgetOf(bytesMax: number, bytesPerConnectionMax: number) {
  const cuts: [socket: Socket, reason: string][] = []
  let nowMs = 0
  const bodies = createBodyBudget({
    bytesMax,
    bytesPerConnectionMax,
    cut: (socket, reason) => cuts.push([socket, reason]),
    now: () => nowMs,
  })
  const ended: Socket[] = []
  const send = (socket: Socket, bytes: number) => {
    const body = bodies.begin(socket, () => ended.push(socket))
    bodies.hold(body, bytes)
    return body
  }
  return { bodies, cuts, ended, send, passMs: (ms: number) => (nowMs += ms) }
}

it('cuts those who hold the most until a quarter is free, and counts them no more', () => {
  const { cuts, send } = budgetOf(100 * KiB, 100 * KiB)
  const [light, heavy, heaviest] = [new Socket(), new Socket(), new Socket()]
  send(light, 8 * KiB)
  send(heavy, 26 * KiB)
  send(heaviest, 40 * KiB)
  expect(cuts).toEqual([])
  send(light, 20 * KiB)
  expect(cuts).toEqual([[heaviest, 'bodies of all']])
  // 30 KiB of heavy and 36 of light are left.
  send(heavy, 28 * KiB)
  expect(cuts).toHaveLength(1)
})

it('cuts a connection that exceeds its own budget, and nobody else', () => {
  const { cuts, send } = budgetOf(1_000 * KiB, 50 * KiB)
  const [socket, other] = [new Socket(), new Socket()]
  send(other, 40 * KiB)
  send(socket, 30 * KiB)
  expect(cuts).toEqual([])
  send(socket, 30 * KiB)
  expect(cuts).toEqual([[socket, 'bodies of one connection']])
})

it('forgets what is complete, however often it is told', () => {
  const { bodies, cuts, send } = budgetOf(100 * KiB, 100 * KiB)
  const socket = new Socket()
  for (let count = 0; count < 100; count += 1) {
    const body = send(socket, 30 * KiB)
    bodies.release(body)
    bodies.release(body)
    bodies.hold(body, 30 * KiB)
  }
  expect(cuts).toEqual([])
})

it('counts no more of a body than handlers keep: a gigabyte that is thrown away is not held', () => {
  const { bodies, cuts } = budgetOf(1_000 * KiB, 1_000 * KiB)
  const body = bodies.begin(new Socket(), () => undefined)
  for (let count = 0; count < 1_000; count += 1) bodies.hold(body, 16 * KiB)
  expect(cuts).toEqual([])
})

it('a request costs something before its first byte', () => {
  const { bodies, cuts } = budgetOf(10 * REQUEST_BYTES, 100 * KiB)
  for (let count = 0; count < 10; count += 1) bodies.begin(new Socket(), () => undefined)
  expect(cuts).toEqual([])
  bodies.begin(new Socket(), () => undefined)
  expect(cuts.length).toBeGreaterThan(0)
})

it('knows the oldest, and ends those that take too long', () => {
  const { bodies, ended, send, passMs } = budgetOf(100 * KiB, 100 * KiB)
  const [old, young] = [new Socket(), new Socket()]
  send(old, KiB)
  passMs(1_500)
  send(young, KiB)
  expect(bodies.slowest(1_000)).toBe(old)
  expect(bodies.slowest(2_000)).toBeUndefined()
  passMs(29_000)
  bodies.endOlder(30_000)
  expect(ended).toEqual([old])
  expect(bodies.slowest(0)).toBe(young)
})

it('what is announced is held from the first byte, and its pieces cost nothing more', () => {
  const { bodies, cuts } = budgetOf(100 * KiB, 100 * KiB)
  const body = bodies.begin(new Socket(), () => undefined, String(60 * KiB))
  for (let count = 0; count < 60; count += 1) bodies.hold(body, KiB)
  expect(cuts).toEqual([])
  bodies.begin(new Socket(), () => undefined, String(60 * KiB))
  expect(cuts.length).toBeGreaterThan(0)
})

it('a body that is refused for its length is not held', () => {
  const { bodies, cuts } = budgetOf(100 * KiB, 100 * KiB)
  bodies.begin(new Socket(), () => undefined, String(1_000 * KiB))
  expect(cuts).toEqual([])
})

it('a body in pieces of a byte costs what the pieces do', () => {
  const { bodies, cuts } = budgetOf(100 * KiB, 100 * KiB)
  const body = bodies.begin(new Socket(), () => undefined)
  for (let count = 0; count < 1_000; count += 1) bodies.hold(body, 1)
  expect(cuts).toHaveLength(1)
})
