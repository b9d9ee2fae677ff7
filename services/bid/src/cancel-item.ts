/** Takes an item back; one `item.cancelled` in the same transaction. */
import type { Session } from '@bidmesh/platform/session.ts'
import { type Caller, cancelItem as decideCancel } from './auction.ts'
import { changeRefused } from './errors.ts'
import { insertOutbox, itemCancelled } from './events.ts'
import { headFromRow, type ItemRow } from './item-row.ts'
import { lockItem } from './lock-item.ts'
import type { Invalidate } from './place-bids.ts'

/** Returns the row as changed. Throws NOT_FOUND, PERMISSION_DENIED or FAILED_PRECONDITION. */
export async function cancelItem(
  session: Session,
  id: string,
  reason: string,
  caller: Caller,
  invalidate: Invalidate,
  trace: Readonly<Record<string, string>>,
): Promise<ItemRow> {
  return await session.transaction(async (pipeline) => {
    const { row, nowMs } = await lockItem(pipeline, id)
    const decision = decideCancel(headFromRow(row), caller, nowMs)
    if ('refusal' in decision) throw changeRefused(decision.refusal)
    const { status, version } = decision.head
    const updatedAt = new Date(nowMs)
    await pipeline<[unknown, unknown, unknown, void]>((sql) => [
      sql`
        UPDATE items SET
          status = ${status},
          cancel_reason = ${reason},
          updated_at = ${updatedAt.toISOString()},
          version = ${version}
        WHERE id = ${id}`,
      insertOutbox(sql, [itemCancelled(decision.head, reason, trace, nowMs)]),
      sql`COMMIT`,
      invalidate(new Map([[id, version]])),
    ])
    return { ...row, status, version, updated_at: updatedAt, cancel_reason: reason }
  })
}
