/**
 * Gives every viewer its turn once in eight seconds, a few at a time: telling 10,000 viewers the time in one
 * go would take 100 ms, and a bid would wait behind it.
 */
import type { Viewer } from './viewer.ts'

/** Below the 10 s that are promised. */
const TURN_INTERVAL_MS = 8_000
const SLOTS = 80
export const SLOT_INTERVAL_MS = TURN_INTERVAL_MS / SLOTS

export type ClockWheel = {
  add: (viewer: Viewer) => void
  remove: (viewer: Viewer) => void
  /** Whose turn it is; call every {@link SLOT_INTERVAL_MS}. */
  turn: () => Iterable<Viewer>
  viewers: () => Iterable<Viewer>
  size: () => number
}

export function createClockWheel(): ClockWheel {
  const slots = Array.from({ length: SLOTS }, () => new Set<Viewer>())
  const slotOf = new Map<Viewer, Set<Viewer>>()
  let added = 0
  let turned = 0
  return {
    add(viewer) {
      const slot = slots[added % SLOTS]
      if (!slot) throw new Error('a wheel has slots')
      added += 1
      slot.add(viewer)
      slotOf.set(viewer, slot)
    },
    remove(viewer) {
      slotOf.get(viewer)?.delete(viewer)
      slotOf.delete(viewer)
    },
    turn() {
      turned += 1
      return slots[turned % SLOTS] ?? []
    },
    viewers: () => slotOf.keys(),
    size: () => slotOf.size,
  }
}
