/** The way into every change of one item: its row, locked, with the time read after the lock. */
import type { Tx } from '@bidmesh/platform/postgres.ts'
import { itemNotFound } from './errors.ts'
import type { ItemRow } from './item-row.ts'

/** Throws NOT_FOUND when no item has the id. */
export async function lockItem(tx: Tx, id: string): Promise<{ row: ItemRow; nowMs: number }> {
  const [row] = await tx<(ItemRow & { now: Date })[]>`
    WITH locked AS MATERIALIZED (SELECT * FROM items WHERE id = ${id} FOR UPDATE)
    SELECT locked.*, clock_timestamp() AS now FROM locked`
  if (!row) throw itemNotFound()
  return { row, nowMs: row.now.getTime() }
}
