import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { moveCursor, startOfShard } from './scan-cursor.ts'
import type { ScanCursor } from './scan-cursor.ts'

const read = { lastSeq: 10n, full: false, oldestRunning: 100n, nextXid: 105n }

describe('moveCursor', () => {
  test('marks what it has read before it trusts it', () => {
    expect(moveCursor(startOfShard, read)).toEqual({ after: 0n, mark: { seq: 10n, nextXid: 105n } })
  })

  test('does not trust the mark while a transaction older than it runs, and keeps the older mark', () => {
    const marked = moveCursor(startOfShard, read)
    const later = { lastSeq: 20n, full: false, oldestRunning: 104n, nextXid: 110n }
    expect(moveCursor(marked, later)).toEqual(marked)
  })

  test('trusts the mark when all of them have ended, and marks the next', () => {
    const marked = moveCursor(startOfShard, read)
    const later = { lastSeq: 20n, full: false, oldestRunning: 105n, nextXid: 110n }
    expect(moveCursor(marked, later)).toEqual({ after: 10n, mark: { seq: 20n, nextXid: 110n } })
  })

  test('does not trust the mark when the read ended before it', () => {
    const marked = moveCursor(startOfShard, read)
    const cutOff = { lastSeq: 9n, full: true, oldestRunning: 105n, nextXid: 110n }
    expect(moveCursor(marked, cutOff)).toEqual(marked)
  })
})

/**
 * Postgres as far as the cursor depends on it: transactions take an id, draw numbers, hold the lock of their
 * item until they end, and may commit in any order across items.
 */
type Step =
  | { do: 'write'; writer: number; item: number }
  | { do: 'commit'; writer: number }
  | { do: 'relay'; limit: number }

const step: fc.Arbitrary<Step> = fc.oneof(
  fc.record({ do: fc.constant('write' as const), writer: fc.nat(3), item: fc.nat(2) }),
  fc.record({ do: fc.constant('commit' as const), writer: fc.nat(3) }),
  fc.record({ do: fc.constant('relay' as const), limit: fc.integer({ min: 1, max: 4 }) }),
)

type Row = { seq: bigint; item: number }

test('whatever commits when: no row is ever behind the cursor, and items keep their order', () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 80 }), (steps) => {
      const running = new Map<number, { xid: bigint; rows: Row[] }>()
      let committed: Row[] = []
      const relayed: Row[] = []
      let [xid, seq] = [1n, 0n]
      let cursor: ScanCursor = startOfShard

      const write = (writer: number, item: number) => {
        const locked = [...running].some(
          ([other, { rows }]) => other !== writer && rows.some((row) => row.item === item),
        )
        if (locked) return
        const mine = running.get(writer) ?? { xid: xid++, rows: [] }
        running.set(writer, mine)
        seq += 1n
        mine.rows.push({ seq, item })
      }
      const relay = (limit: number) => {
        const visible = committed
          .filter((row) => row.seq > cursor.after)
          .toSorted((a, b) => Number(a.seq - b.seq))
        const rows = visible.slice(0, limit)
        const last = rows.at(-1)
        if (last === undefined) return
        const oldestRunning = [...running.values()].reduce(
          (min, t) => (t.xid < min ? t.xid : min),
          xid,
        )
        relayed.push(...rows)
        committed = committed.filter((row) => !rows.includes(row))
        const full = rows.length === limit
        cursor = moveCursor(cursor, { lastSeq: last.seq, full, oldestRunning, nextXid: xid })
      }
      const commit = (writer: number) => {
        committed.push(...(running.get(writer)?.rows ?? []))
        running.delete(writer)
      }

      for (const next of steps) {
        if (next.do === 'write') write(next.writer, next.item)
        else if (next.do === 'commit') commit(next.writer)
        else relay(next.limit)
        expect(committed.every((row) => row.seq > cursor.after)).toBe(true)
      }
      for (const writer of running.keys()) commit(writer)
      while (committed.length > 0) {
        const before = relayed.length
        relay(4)
        expect(relayed.length).toBeGreaterThan(before)
      }
      expect(relayed).toHaveLength(Number(seq))
      for (const item of [0, 1, 2]) {
        const order = relayed.filter((row) => row.item === item).map((row) => row.seq)
        expect(order).toEqual(order.toSorted((a, b) => Number(a - b)))
      }
    }),
    { numRuns: 2_000 },
  )
})
