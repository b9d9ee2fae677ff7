/** Where users stand in a ranking: what leaderboards are made of. */
import type { Queryable } from '@bidmesh/platform/postgres/postgres.ts'

/** By a count, or by the sum in one currency. */
export type Ranking = 'bids' | 'won' | `amount:${string}`

/** A user's absolute total. */
export type Standing = { ranking: Ranking; userId: string; total: bigint }

export type UserRow = { user_id: string; total_bids: bigint; items_won: bigint }
export type AmountRow = { user_id: string; currency: string; total_amount: string }

/** Sums of unknown currency rank nobody. */
export function standingsOf(users: readonly UserRow[], amounts: readonly AmountRow[]): Standing[] {
  return [
    ...users.map((row): Standing => ({
      ranking: 'bids',
      userId: row.user_id,
      total: row.total_bids,
    })),
    ...users.map((row): Standing => ({
      ranking: 'won',
      userId: row.user_id,
      total: row.items_won,
    })),
    ...amounts
      .filter(({ currency }) => currency !== '')
      .map(({ currency, user_id: userId, total_amount }): Standing => {
        return { ranking: `amount:${currency}`, userId, total: BigInt(total_amount) }
      }),
  ]
}

export function readUserRows(sql: Queryable, userIds: readonly string[]) {
  return sql<UserRow[]>`
    SELECT user_id, total_bids, items_won FROM user_stats
    WHERE user_id = ANY (${[...userIds]}::text[])`
}

export function readAmountRows(sql: Queryable, userIds: readonly string[]) {
  return sql<AmountRow[]>`
    SELECT user_id, currency, total_amount FROM user_amounts
    WHERE user_id = ANY (${[...userIds]}::text[])`
}
