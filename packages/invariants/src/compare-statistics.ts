/**
 * I4 and I5: the read side against the write side's bids and ended items. Ids in the inbox say which events
 * took effect; every row of every projection is recomputed, which says that each took effect once. Valid
 * while the inbox still holds all events of the run (its retention is days).
 */
import { lifecycleEventId } from '@bidmesh/events/event-id.ts'
import type { Sql } from '@bidmesh/platform/postgres/postgres.ts'
import type { Violation } from './violation.ts'

/** Rows read at once. */
const rowsPerRead = 5_000

export async function compareStatistics(bidSql: Sql, statsSql: Sql): Promise<Violation[]> {
  return [
    ...(await compareEvents(bidSql, statsSql)),
    ...(await comparePairs('user_stats', userStats(bidSql), storedUserStats(statsSql))),
    ...(await comparePairs('user_amounts', userAmounts(bidSql), storedUserAmounts(statsSql))),
    ...(await comparePairs('item_stats', itemStats(bidSql), storedItemStats(statsSql))),
    ...(await comparePairs('user_items', userItems(bidSql), storedUserItems(statsSql))),
    ...(await comparePairs('market_activity', activity(bidSql), storedActivity(statsSql))),
  ]
}

async function compareEvents(bidSql: Sql, statsSql: Sql): Promise<Violation[]> {
  const violations: Violation[] = []
  const [outbox] = await bidSql<{ rows: bigint }[]>`SELECT count(*) AS rows FROM outbox`
  if (outbox?.rows !== 0n) {
    violations.push({ invariant: 'I4', message: `${outbox?.rows} events are still in the outbox` })
  }
  const missing = new Set<string>()
  for await (const rows of bidSql<{ id: string }[]>`SELECT id FROM bids`.cursor(rowsPerRead)) {
    for (const { id } of rows) missing.add(id)
  }
  for (const { id } of await bidSql<{ id: string }[]>`
    SELECT id FROM items WHERE status = 'ended'`) {
    missing.add(lifecycleEventId(id, 'item.ended'))
  }
  const inbox = statsSql<{ id: string }[]>`SELECT event_id AS id FROM inbox_events`
  for await (const rows of inbox.cursor(rowsPerRead)) {
    for (const { id } of rows) {
      if (missing.delete(id)) continue
      violations.push({ invariant: 'I4', message: `event ${id} took effect but never happened` })
    }
  }
  for (const id of missing) {
    violations.push({ invariant: 'I4', message: `event ${id} never took effect` })
  }
  return violations
}

type Row = Readonly<Record<string, unknown>>

/** Rows as `{ key, …values }`; both sides name and order their values alike. */
async function comparePairs(
  table: string,
  expectedRows: Promise<readonly Row[]>,
  storedRows: Promise<readonly Row[]>,
): Promise<Violation[]> {
  const [expected, stored] = await Promise.all([expectedRows, storedRows])
  const unmatched = new Map(stored.map((row) => [row['key'], asText(row)]))
  const violations: Violation[] = []
  for (const row of expected) {
    const found = unmatched.get(row['key'])
    unmatched.delete(row['key'])
    if (found === asText(row)) continue
    const message = `${table}: recomputed ${asText(row)}, stored ${found ?? 'nothing'}`
    violations.push({ invariant: 'I5', message })
  }
  for (const found of unmatched.values()) {
    violations.push({ invariant: 'I5', message: `${table}: recomputed nothing, stored ${found}` })
  }
  return violations
}

function asText(row: Row): string {
  return JSON.stringify(row, (_, value: unknown) =>
    typeof value === 'bigint' ? String(value) : value,
  )
}

function userStats(sql: Sql): Promise<readonly Row[]> {
  return sql`
    WITH won AS (
      SELECT highest_bidder_id AS user_id, count(*) AS items_won, max(end_at) AS last_won_at
      FROM items WHERE outcome = 'sold' GROUP BY highest_bidder_id
    )
    SELECT user_id AS key, count(*) AS total_bids, count(DISTINCT item_id) AS items_bid_on,
      coalesce(min(items_won), 0) AS items_won,
      0::numeric AS total_amount, 0::bigint AS highest_bid, 0::numeric AS amount_won, min(created_at) AS first_bid_at, max(created_at) AS last_bid_at,
      greatest(max(created_at), max(last_won_at)) AS last_updated_at
    FROM bids LEFT JOIN won USING (user_id) GROUP BY user_id`
}

function storedUserStats(sql: Sql): Promise<readonly Row[]> {
  return sql`
    SELECT user_id AS key, total_bids, items_bid_on, items_won, total_amount, highest_bid, amount_won,
      first_bid_at, last_bid_at, last_updated_at
    FROM user_stats`
}

function userAmounts(sql: Sql): Promise<readonly Row[]> {
  return sql`
    WITH won AS (
      SELECT highest_bidder_id AS user_id, currency, sum(current_highest_bid) AS amount_won
      FROM items WHERE outcome = 'sold' GROUP BY highest_bidder_id, currency
    )
    SELECT i.currency || ' ' || b.user_id AS key, sum(b.amount) AS total_amount,
      max(b.amount) AS highest_bid, coalesce(min(won.amount_won), 0) AS amount_won
    FROM bids b JOIN items i ON i.id = b.item_id
      LEFT JOIN won ON won.user_id = b.user_id AND won.currency = i.currency
    GROUP BY i.currency, b.user_id`
}

function storedUserAmounts(sql: Sql): Promise<readonly Row[]> {
  return sql`
    SELECT currency || ' ' || user_id AS key, total_amount, highest_bid, amount_won
    FROM user_amounts`
}

function itemStats(sql: Sql): Promise<readonly Row[]> {
  return sql`
    SELECT i.id AS key, i.currency, count(b.id) AS total_bids, count(DISTINCT b.user_id) AS unique_bidders,
      coalesce(max(b.amount), 0) AS highest_bid, min(b.created_at) AS first_bid_at,
      max(b.created_at) AS last_bid_at,
      CASE WHEN i.outcome IS NOT NULL THEN i.end_at END AS ended_at, i.outcome,
      CASE WHEN i.outcome = 'sold' THEN i.highest_bidder_id ELSE '' END AS winner_id,
      CASE WHEN i.outcome = 'sold' THEN i.current_highest_bid ELSE 0 END AS hammer_price
    FROM items i LEFT JOIN bids b ON b.item_id = i.id
    GROUP BY i.id HAVING count(b.id) > 0 OR i.outcome IS NOT NULL`
}

function storedItemStats(sql: Sql): Promise<readonly Row[]> {
  return sql`
    SELECT item_id AS key, currency, total_bids, unique_bidders, highest_bid, first_bid_at, last_bid_at,
      ended_at, outcome, winner_id, hammer_price
    FROM item_stats`
}

function userItems(sql: Sql): Promise<readonly Row[]> {
  return sql`
    SELECT item_id || ' ' || user_id AS key, count(*) AS bids, sum(amount) AS amount,
      max(amount) AS highest_bid
    FROM bids GROUP BY item_id, user_id`
}

function storedUserItems(sql: Sql): Promise<readonly Row[]> {
  return sql`SELECT item_id || ' ' || user_id AS key, bids, amount, highest_bid FROM user_items`
}

function activity(sql: Sql): Promise<readonly Row[]> {
  return sql`
    SELECT extract(epoch FROM date_trunc('minute', b.created_at))::bigint || ' ' || currency || ' '
      || user_id AS key, count(*) AS bids, sum(amount) AS amount
    FROM bids b JOIN items i ON i.id = item_id
    GROUP BY date_trunc('minute', b.created_at), currency, user_id`
}

function storedActivity(sql: Sql): Promise<readonly Row[]> {
  return sql`
    SELECT extract(epoch FROM minute)::bigint || ' ' || currency || ' ' || user_id AS key, bids, amount
    FROM market_activity
    UNION ALL
    SELECT extract(epoch FROM minute)::bigint || '  ' || user_id AS key, bids, amount FROM activity`
}
