/**
 * A batch of bids decided inside Postgres: lock, decide, write bids, items and outbox, all in one call. The same rules, tables
 * and rows as one transaction per bid writes; soft close, idempotency keys and history are left out.
 */
import type { Sql } from '@bidmesh/platform/postgres/postgres.ts'
import { sampleBidEvents } from '../scenarios/sample-events.ts'

/**
 * `bench_place_bids(lane, lanes, size)`: bids on random items of a lane, each at the price that is asked for. As in a lane,
 * nobody else locks its items. The payload is that of a real event.
 */
export async function createFloorFunction(sql: Sql, ids: readonly string[]): Promise<void> {
  const [sample] = sampleBidEvents(1, 1, 1)
  const payload = Buffer.from(sample?.event.payload ?? []).toString('hex')
  await sql`CREATE TABLE bench_items (place integer PRIMARY KEY, id uuid NOT NULL)`
  await sql`
    INSERT INTO bench_items
    SELECT place - 1, id FROM unnest(${[...ids]}::uuid[]) WITH ORDINALITY AS given (id, place)`
  await sql.unsafe(`
    CREATE FUNCTION bench_place_bids(lane integer, lanes integer, size integer) RETURNS void LANGUAGE plpgsql AS $$
    DECLARE
      chosen uuid[];
      decided_at timestamptz;
    BEGIN
      SELECT array_agg(id) INTO chosen FROM (
        SELECT lane + lanes * floor(random() * ${ids.length} / lanes)::integer AS place FROM generate_series(1, size)
      ) AS wanted JOIN bench_items USING (place);
      PERFORM FROM items WHERE id = ANY (chosen) ORDER BY id FOR UPDATE;
      decided_at := date_trunc('milliseconds', clock_timestamp());
      WITH decided AS MATERIALIZED (
        SELECT id AS item_id, gen_random_uuid() AS bid_id, 'bidder-' || bidder AS user_id,
          version + place AS version, sequence + place AS sequence,
          CASE sequence WHEN 0 THEN start_price ELSE current_highest_bid + min_increment END
            + (place - 1) * min_increment AS amount
        FROM (
          SELECT id, bidder, row_number() OVER (PARTITION BY id ORDER BY bidder) AS place
          FROM unnest(chosen) WITH ORDINALITY AS bid (id, bidder)
        ) AS bid JOIN items USING (id)
        WHERE status = 'active' AND decided_at >= start_at AND decided_at < end_at
          AND seller_id <> 'bidder-' || bidder
      ), new_bids AS (
        INSERT INTO bids (item_id, sequence, id, user_id, amount, created_at)
        SELECT item_id, sequence, bid_id, user_id, amount, decided_at FROM decided
      ), new_states AS (
        UPDATE items SET current_highest_bid = amount, highest_bidder_id = user_id, sequence = last.sequence,
          version = last.version, updated_at = decided_at
        FROM (SELECT DISTINCT ON (item_id) * FROM decided ORDER BY item_id, sequence DESC) AS last
        WHERE items.id = item_id
      )
      INSERT INTO outbox (shard, id, item_id, type, payload, occurred_at)
      SELECT 0, bid_id, item_id, 'bid.placed', '\\x${payload}', decided_at FROM decided ORDER BY version;
    END $$`)
}
