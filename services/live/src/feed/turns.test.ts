import { expect, it } from 'vitest'
import { createTurns } from './turns.ts'

/** Turns that the test begins. */
function createWorld(unitsPerTurn = 3) {
  const due: (() => void)[] = []
  const turns = createTurns({ unitsPerTurn, nextTurn: (run) => void due.push(run) })
  const done: unknown[] = []
  return {
    turns,
    done,
    all: (values: readonly unknown[], units = 1) =>
      turns.forEach(
        values,
        () => units,
        (value) => done.push(value),
        () => done.push('.'),
      ),
    /** False when no turn is wanted. */
    turn: () => {
      const [run] = due.splice(0)
      run?.()
      return run !== undefined
    },
  }
}

it('does what fits at once, the rest in later turns, and is quiet afterwards', () => {
  const { all, done, turn } = createWorld()
  all([1, 2, 3, 4, 5, 6, 7])
  expect(done).toEqual([1, 2, 3])
  turn()
  expect(done).toEqual([1, 2, 3, 4, 5, 6])
  turn()
  expect(done).toEqual([1, 2, 3, 4, 5, 6, 7, '.'])
  expect([turn(), turn()]).toEqual([true, false])
})

it('takes the members as they were, and keeps the order of who asked', () => {
  const { all, done, turn } = createWorld()
  const members = [1, 2, 3, 4]
  all(members)
  members.push(5)
  all(['a', 'b'])
  expect(done).toEqual([1, 2, 3])
  turn()
  expect(done).toEqual([1, 2, 3, 4, '.', 'a', 'b', '.'])
})

it('shares one portion among all who ask within a turn', async () => {
  const { all, done, turn, turns } = createWorld()
  all([1])
  all([2])
  const waiting = turns.room(2).then(() => done.push('room'))
  all([3])
  expect(done).toEqual([1, '.', 2, '.'])
  turn()
  await waiting
  expect(done).toEqual([1, '.', 2, '.', 3, '.', 'room'])
})

it('counts what is dear, and does it all the same', () => {
  const { all, done, turn } = createWorld()
  all([1, 2], 10)
  expect(done).toEqual([1])
  turn()
  expect(done).toEqual([1, 2, '.'])
})

it('lets the end of one work begin another', () => {
  const { turns, done, turn } = createWorld()
  const again = (): void =>
    turns.forEach(
      [1, 2],
      () => 1,
      (each) => done.push(each),
      again,
    )
  again()
  for (let count = 0; count < 3; count += 1) turn()
  expect(done).toEqual([1, 2, 1, 2, 1, 2, 1, 2, 1, 2, 1, 2])
})
