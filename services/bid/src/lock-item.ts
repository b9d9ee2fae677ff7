/** The way into every change of one item: BEGIN, its row locked, and the time read after the lock. */
import type { Pipeline } from '@bidmesh/platform/session.ts'
import { itemNotFound } from './errors.ts'
import { itemColumns, type ItemRow } from './item-row.ts'

/** Begins the transaction. Throws NOT_FOUND when no item has the id. */
export async function lockItem(
  pipeline: Pipeline,
  id: string,
): Promise<{ row: ItemRow; nowMs: number }> {
  const [, [row]] = await pipeline<[unknown, (ItemRow & { now: Date })[]]>((sql) => [
    sql`BEGIN`,
    sql<(ItemRow & { now: Date })[]>`
      WITH locked AS MATERIALIZED (
        SELECT ${sql([...itemColumns])} FROM items WHERE id = ${id} FOR UPDATE
      )
      SELECT locked.*, clock_timestamp() AS now FROM locked`,
  ])
  if (!row) throw itemNotFound()
  return { row, nowMs: row.now.getTime() }
}
