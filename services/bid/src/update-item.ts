/** Edits the description of an item that has not ended; one `item.updated` in the same transaction. */
import type { Session } from '@bidmesh/platform/session.ts'
import { type Caller, refuseChange } from './auction.ts'
import { changeRefused } from './errors.ts'
import { insertOutbox, itemUpdated } from './events.ts'
import { headFromRow, type ItemRow } from './item-row.ts'
import { lockItem } from './lock-item.ts'
import type { Invalidate } from './place-bids.ts'

/** What may change; undefined stays as it is. */
export type ItemChanges = {
  title: string | undefined
  description: string | undefined
  images: readonly string[] | undefined
  category: string | undefined
}

/** Returns the row as changed. Throws NOT_FOUND, PERMISSION_DENIED or FAILED_PRECONDITION. */
export async function updateItem(
  session: Session,
  id: string,
  changes: ItemChanges,
  caller: Caller,
  invalidate: Invalidate,
  trace: Readonly<Record<string, string>>,
): Promise<ItemRow> {
  return await session.transaction(async (pipeline) => {
    const { row, nowMs } = await lockItem(pipeline, id)
    const refusal = refuseChange(headFromRow(row), caller, nowMs)
    if (refusal) throw changeRefused(refusal)
    const changed: ItemRow = {
      ...row,
      title: changes.title ?? row.title,
      description: changes.description ?? row.description,
      images: [...(changes.images ?? row.images)],
      category: changes.category ?? row.category,
      updated_at: new Date(nowMs),
      version: row.version + 1n,
    }
    const event = itemUpdated(headFromRow(changed), changed, trace, nowMs)
    await pipeline<[unknown, unknown, unknown, void]>((sql) => [
      sql`
        UPDATE items SET
          title = ${changed.title},
          description = ${changed.description},
          images = ${changed.images},
          category = ${changed.category},
          updated_at = ${changed.updated_at.toISOString()},
          version = ${changed.version}
        WHERE id = ${id}`,
      insertOutbox(sql, [event]),
      sql`COMMIT`,
      invalidate(new Map([[id, changed.version]])),
    ])
    return changed
  })
}
