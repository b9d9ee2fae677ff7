/** What clients were told: one entry per acknowledged bid, to be held against the database afterwards. */

export type LedgerEntry = {
  bidId: string
  itemId: string
  userId: string
  /** Minor units. */
  amount: bigint
  sequence: bigint
}
