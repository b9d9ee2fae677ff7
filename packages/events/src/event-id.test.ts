/** The derivation is a contract with every inbox: a changed id would count old events again. */
import { expect, test } from 'vitest'
import { eventTypes } from './event-types.ts'
import { lifecycleEventId } from './event-id.ts'

const itemId = '0192f0c1-2b3c-7d4e-8f50-617283940a1b'

test('is the head of SHA-256 of type and item, as a UUID of version 8', () => {
  // printf 'item.ended:0192f0c1-2b3c-7d4e-8f50-617283940a1b' | sha256sum
  const digest = '606365252cacacf977a2372c50e4a120'
  const id = lifecycleEventId(itemId, 'item.ended')
  expect(id).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/)
  const digits = id.replaceAll('-', '')
  // Version and variant take six bits of these two.
  const withoutThem = (hex: string) => hex.slice(0, 12) + hex.slice(13, 16) + hex.slice(17)
  expect(withoutThem(digits)).toBe(withoutThem(digest))
})

test('differs by type and by item, and is the same every time', () => {
  const otherId = '0192f0c1-2b3c-7d4e-8f50-617283940a1c'
  const all = eventTypes.flatMap((type) =>
    [itemId, otherId].map((id) => lifecycleEventId(id, type)),
  )
  expect(new Set(all).size).toBe(2 * eventTypes.length)
  expect(lifecycleEventId(itemId, 'item.ended')).toBe(lifecycleEventId(itemId, 'item.ended'))
})
