/**
 * A copy of items in Redis for GetItem, which may vanish or fall silent at any moment without a wrong
 * answer. While a change is being committed a tombstone with the coming version takes the copy's place
 * (sent beside COMMIT, so it costs no time); from then on only a copy at least that new is let in. A
 * reader therefore never sees a state older than an acknowledged change, and a crash between commit and
 * anything else leaves only a tombstone. If Redis could not take a tombstone, copies are at most
 * {@link COPY_TTL_MS} old.
 */
import { setImmediate as nextTurn, setTimeout as sleep } from 'node:timers/promises'
import { fromBinary, toBinary } from '@bufbuild/protobuf'
import { type Item, ItemSchema } from '@bidmesh/gen/bids/v1/bid_service_pb.ts'
import type { Redis } from '@bidmesh/platform/redis/redis.ts'
import type { Invalidate } from './execute-batch.ts'

/** Life of a copy: the longest a lost tombstone can matter. */
const COPY_TTL_MS = 1_000
/** Longest a commit is held up by a Redis that hangs; then the tombstone counts as lost. */
const TOMBSTONE_LIMIT_MS = 20
/** Life of a tombstone: longer than any commit or read that was under way when it was set. */
const TOMBSTONE_TTL_MS = 30_000

export type ItemCache = {
  get(id: string): Promise<Item | undefined>
  /** Offers a copy just read from Postgres; not awaited, may be refused. */
  offer(item: Item): void
  invalidate: Invalidate
}

/** For a process without Redis: always asks Postgres. */
export const noItemCache: ItemCache = {
  get: async () => undefined,
  offer: () => undefined,
  invalidate: async () => undefined,
}

// Versions are compared as numbers: they count changes of one item and stay far below 2^53.
const OFFER = `
local held = redis.call('HGET', KEYS[1], 'version')
if held and tonumber(held) > tonumber(ARGV[1]) then return 0 end
redis.call('HSET', KEYS[1], 'version', ARGV[1], 'item', ARGV[2])
redis.call('PEXPIRE', KEYS[1], ARGV[3])
return 1`

const BURY = `
local held = redis.call('HGET', KEYS[1], 'version')
if held and tonumber(held) >= tonumber(ARGV[1]) then return 0 end
redis.call('DEL', KEYS[1])
redis.call('HSET', KEYS[1], 'version', ARGV[1])
redis.call('PEXPIRE', KEYS[1], ARGV[2])
return 1`

export function createItemCache(redis: Redis): ItemCache {
  const key = (id: string) => `item:${id}`
  return {
    async get(id) {
      try {
        const bytes = await redis.hgetBuffer(key(id), 'item')
        return bytes ? fromBinary(ItemSchema, bytes) : undefined
      } catch {
        return undefined // Unavailable or talking nonsense: Postgres knows.
      }
    },
    offer(item) {
      const bytes = Buffer.from(toBinary(ItemSchema, item))
      redis
        .eval(OFFER, 1, key(item.id), String(item.version), bytes, COPY_TTL_MS)
        .catch(() => undefined)
    },
    async invalidate(versions) {
      // The commit beside us leaves first: it takes longer.
      await nextTurn()
      const pipeline = redis.pipeline()
      for (const [id, version] of versions) {
        pipeline.eval(BURY, 1, key(id), String(version), TOMBSTONE_TTL_MS)
      }
      await Promise.race([pipeline.exec().catch(() => undefined), sleep(TOMBSTONE_LIMIT_MS)])
    },
  }
}
