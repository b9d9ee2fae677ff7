/**
 * I7: an item's event versions are 1, 2, 3 … without gaps or repeats, in the order of the outbox, up to the
 * version the item has. The relay deletes what it has sent, so a trigger keeps a copy of every event that was
 * ever committed.
 */
import { decodeItemEvent } from '@bidmesh/live/item-event.ts'
import type { Sql } from '@bidmesh/platform/postgres.ts'
import type { Violation } from './check-invariants.ts'

const rowsPerRead = 5_000

/** From now on every event of this write side is kept: before the first one, and never while measuring. */
export async function keepEvents(bidSql: Sql): Promise<void> {
  await bidSql`
    CREATE TABLE kept_events (seq bigint, id uuid UNIQUE, item_id uuid, type text, payload bytea)`
  await bidSql`
    CREATE FUNCTION keep_events() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
      INSERT INTO kept_events SELECT seq, id, item_id, type, payload FROM appended;
      RETURN NULL;
    END $$`
  await bidSql`
    CREATE TRIGGER keep_events AFTER INSERT ON outbox
    REFERENCING NEW TABLE AS appended FOR EACH STATEMENT EXECUTE FUNCTION keep_events()`
}

type KeptRow = { item_id: string; type: string; payload: Buffer }

/** Throws when {@link keepEvents} was not called before. */
export async function checkVersions(bidSql: Sql): Promise<Violation[]> {
  const violations: Violation[] = []
  const reached = new Map<string, bigint>()
  const rows = bidSql<KeptRow[]>`
    SELECT item_id, type, payload FROM kept_events ORDER BY item_id, seq`
  for await (const read of rows.cursor(rowsPerRead)) {
    for (const { item_id: itemId, type, payload } of read) {
      const version = decodeItemEvent(type, payload)?.message.version ?? 0n
      const before = reached.get(itemId) ?? 0n
      if (version !== before + 1n) {
        violations.push(violation(`item ${itemId}: after version ${before} ${type} has ${version}`))
      }
      reached.set(itemId, version)
    }
  }
  const items = await bidSql<{ id: string; version: bigint }[]>`SELECT id, version FROM items`
  for (const { id, version } of items) {
    const last = reached.get(id) ?? 0n
    if (version === last) continue
    violations.push(violation(`item ${id} has version ${version}, its last event ${last}`))
  }
  return violations
}

function violation(message: string): Violation {
  return { invariant: 'I7', message }
}
