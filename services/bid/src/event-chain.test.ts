import fc from 'fast-check'
import { expect, it } from 'vitest'
import { type LinkedEvent, linkHash, NO_HASH } from './event-chain.ts'

const itemId = '018f0000-0000-7000-8000-000000000001'
const creation: LinkedEvent = {
  itemId,
  version: 1n,
  recordedAtMs: Date.UTC(2026, 0, 1),
  id: '018f0000-0000-8000-8000-00000000000a',
  type: 'item.created',
  payload: Uint8Array.of(0x0a, 0x01, 0x00),
}
const bid: LinkedEvent = {
  itemId,
  version: 2n,
  recordedAtMs: Date.UTC(2026, 0, 1) + 500,
  id: '018f0000-0000-7000-8000-00000000000b',
  type: 'bid.placed',
  payload: Uint8Array.of(0x0a, 0x02, 0xff, 0x00),
}

it('is what sha256sum makes of the bytes, for as long as there are stores', () => {
  const first = linkHash(NO_HASH, creation)
  expect(first.toString('hex')).toBe(
    '5c30ddd49d39b4d9f0639e10a655067081a6c90ed9407775e79f6fb88f6fc4f6',
  )
  expect(linkHash(first, bid).toString('hex')).toBe(
    '18ebcd29b18d52cdd461d3f1730df4144d78352ab92a4448a6fb3283de0fee4a',
  )
})

const anyEvent = fc.record({
  itemId: fc.constantFrom(itemId, itemId.replace('1', '2')),
  version: fc.bigInt({ min: 1n, max: 3n }),
  recordedAtMs: fc.integer({ min: 0, max: 2 }),
  id: fc.uuid(),
  type: fc.constantFrom('bid.placed', 'item.ended'),
  payload: fc.uint8Array({ maxLength: 3 }),
})

it('differs with anything that is said of an event, and with what comes before', () => {
  const said = (event: LinkedEvent) => JSON.stringify({ ...event, version: Number(event.version) })
  fc.assert(
    fc.property(anyEvent, anyEvent, (one, other) => {
      const [first, second] = [linkHash(NO_HASH, one), linkHash(NO_HASH, other)]
      expect(first.equals(second)).toBe(said(one) === said(other))
      expect(linkHash(first, other).equals(linkHash(second, other))).toBe(first.equals(second))
    }),
  )
})
