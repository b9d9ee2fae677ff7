/** The environment of all entry points; the only file of this service that reads it. */
import {
  authShape,
  migrationsMode,
  postgresUrl,
  processShape,
  readConfig,
  redisUrl,
  userIds,
  wholeNumber,
} from '@bidmesh/platform/process/config.ts'

/**
 * Lanes per process, each a connection. Over 1,000 items on 2 cores: 1 lane 5,380 accepted bids/s, 2 lanes
 * 5,160, 4 lanes 4,880, 8 lanes 3,940, because fewer lanes make larger batches; with one, a held lock would
 * hold up every item.
 */
const DEFAULT_LANES = 2

const auctioneerShape = {
  ...processShape,
  DATABASE_URL: postgresUrl(),
  /** Without Redis items are always read from Postgres. */
  REDIS_URL: redisUrl().optional(),
  MIGRATIONS: migrationsMode(),
}

/** The audit log has addresses, which nobody needs for ever. */
export const AUDIT_RETENTION_DAYS = 90

export function readAuctioneerConfig(env?: NodeJS.ProcessEnv) {
  const shape = {
    ...auctioneerShape,
    AUDIT_RETENTION_DAYS: wholeNumber(1, 36_500).default(AUDIT_RETENTION_DAYS),
  }
  return readConfig(shape, env)
}

export function readVerifyConfig(env?: NodeJS.ProcessEnv) {
  return readConfig({ DATABASE_URL: postgresUrl() }, env)
}

export function readBidConfig(env?: NodeJS.ProcessEnv) {
  const shape = {
    ...auctioneerShape,
    ...authShape(env),
    OPERATOR_IDS: userIds().default([]),
    LANES: wholeNumber(1, 64).default(DEFAULT_LANES),
  }
  return readConfig(shape, env)
}

export type BidConfig = ReturnType<typeof readBidConfig>
export type AuctioneerConfig = ReturnType<typeof readAuctioneerConfig>
