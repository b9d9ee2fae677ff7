/** Takes an item back; one `item.cancelled` in the same transaction. */
import type { Sql } from '@bidmesh/platform/postgres.ts'
import { type Caller, cancelItem as decideCancel } from './auction.ts'
import { changeRefused } from './errors.ts'
import { insertOutbox, itemCancelled } from './events.ts'
import { headFromRow, type ItemRow } from './item-row.ts'
import { lockItem } from './lock-item.ts'
import type { Invalidate } from './place-bids.ts'

/**
 * Returns the row as changed. Throws NOT_FOUND, PERMISSION_DENIED or FAILED_PRECONDITION.
 *
 * @param caller undefined in trusted mode: whoever asks is taken for the seller
 */
export async function cancelItem(
  sql: Sql,
  id: string,
  reason: string,
  caller: Caller | undefined,
  invalidate: Invalidate,
  trace: Readonly<Record<string, string>>,
): Promise<ItemRow> {
  return await sql.begin(async (tx) => {
    const { row, nowMs } = await lockItem(tx, id)
    const head = headFromRow(row)
    const decision = decideCancel(head, caller ?? { userId: head.sellerId, operator: false }, nowMs)
    if ('refusal' in decision) throw changeRefused(decision.refusal)
    const [changed] = await tx<[ItemRow]>`
      UPDATE items SET
        status = ${decision.head.status},
        cancel_reason = ${reason},
        updated_at = ${new Date(nowMs).toISOString()},
        version = ${decision.head.version}
      WHERE id = ${id}
      RETURNING *`
    await insertOutbox(tx, [itemCancelled(decision.head, reason, trace, nowMs)])
    await invalidate(new Map([[id, changed.version]]))
    return changed
  })
}
