import { Socket } from 'node:net'
import { expect, it } from 'vitest'
import { createConnectionSlots } from './connection-slots.ts'

function slotsFor(max: number) {
  const cuts: string[] = []
  const slow: Socket[] = []
  const slots = createConnectionSlots({
    max,
    slowest: () => slow[0],
    cut: (reason) => cuts.push(reason),
  })
  const taken = () => {
    const socket = new Socket()
    return { socket, took: slots.take(socket) }
  }
  return { slots, cuts, slow, taken }
}

it('gives a newcomer the place of the connection that has been idle the longest', () => {
  const { slots, cuts, taken } = slotsFor(3)
  const [first, second, third] = [taken().socket, taken().socket, taken().socket]
  slots.busy(first)
  slots.idle(first)
  slots.busy(third)
  expect(taken().took).toBe(true)
  expect([first, second, third].map(({ destroyed }) => destroyed)).toEqual([false, true, false])
  expect(taken().took).toBe(true)
  expect(first.destroyed).toBe(true)
  expect(cuts).toEqual(['idle', 'idle'])
})

it('then of the slowest body, and turns newcomers away when all are being answered', () => {
  const { slots, cuts, slow, taken } = slotsFor(2)
  const [first, second] = [taken().socket, taken().socket]
  slots.busy(first)
  slots.busy(second)
  slow.push(second)
  const third = taken()
  expect([third.took, second.destroyed, first.destroyed]).toEqual([true, true, false])
  slots.busy(third.socket)
  slow.pop()
  const fourth = taken()
  expect([fourth.took, fourth.socket.destroyed]).toEqual([false, true])
  expect(cuts).toEqual(['slow', 'refused'])
})

it('has a place again when a connection closes, and none for one that has gone', async () => {
  const { slots, taken } = slotsFor(1)
  const { socket } = taken()
  slots.busy(socket)
  const closed = new Promise((resolve) => socket.once('close', resolve))
  socket.destroy()
  await closed
  slots.idle(socket)
  expect(taken().took).toBe(true)
  expect(slots.all()).toHaveLength(1)
})
