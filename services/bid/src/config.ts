/** The environment of both entry points; the only file of this service that reads it. */
import {
  authMode,
  postgresUrl,
  processShape,
  readConfig,
  redisUrl,
  wholeNumber,
} from '@bidmesh/platform/config.ts'

/** Lanes per process: one connection each. 4 was as fast as 8 on 2 cores and halves the connections. */
const DEFAULT_LANES = 4

const auctioneerShape = {
  ...processShape,
  DATABASE_URL: postgresUrl(),
  /** Without Redis items are always read from Postgres. */
  REDIS_URL: redisUrl().optional(),
}

export function readAuctioneerConfig(env?: NodeJS.ProcessEnv) {
  return readConfig(auctioneerShape, env)
}

export function readBidConfig(env?: NodeJS.ProcessEnv) {
  const shape = {
    ...auctioneerShape,
    AUTH_MODE: authMode(),
    LANES: wholeNumber(1, 64).default(DEFAULT_LANES),
  }
  return readConfig(shape, env)
}

export type BidConfig = ReturnType<typeof readBidConfig>
export type AuctioneerConfig = ReturnType<typeof readAuctioneerConfig>
