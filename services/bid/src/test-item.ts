/** For tests: an item put up through the command itself, and bids on it. */
import { noOrigin } from '@bidmesh/platform/identity/origin.ts'
import { defaultSoftClose } from '@bidmesh/auction/auction-state.ts'
import type { Session } from '@bidmesh/platform/postgres/session.ts'
import { createItem, type NewItem } from './create-item.ts'
import type { BidEntry } from './decide-batch.ts'
import { stateFromRow } from './item-row.ts'

/** An item of `seller` that ends in an hour and starts at 100, unless `changes` says otherwise. */
export async function putItem(session: Session, changes: Partial<NewItem> = {}) {
  const row = await createItem(session, {
    title: 'Lamp',
    description: '',
    images: [],
    category: 'home',
    sellerId: 'seller',
    currency: 'USD',
    startPrice: 100n,
    minIncrement: 1n,
    startAtMs: undefined,
    endAtMs: Date.now() + 3_600_000,
    softClose: { ...defaultSoftClose, maxExtensions: 0 },
    idempotencyKey: '',
    trace: {},
    origin: noOrigin,
    ...changes,
  })
  return stateFromRow(row)
}

export function bidOn(
  itemId: string,
  { userId = 'ann', amount, idempotencyKey = '' }: BidOf,
): BidEntry {
  return {
    itemId,
    command: { kind: 'place_bid', userId, amount },
    idempotencyKey,
    trace: {},
    origin: noOrigin,
  }
}

type BidOf = { userId?: string; amount: bigint; idempotencyKey?: string }
