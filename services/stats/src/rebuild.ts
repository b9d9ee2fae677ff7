/**
 * Throws the projections away and recomputes them from what the bid service has, while events keep arriving.
 *
 * 1. One transaction empties inbox, projections and leaderboards; it waits for batches under way and holds up new ones.
 * 2. All bids and ended items are streamed by the bid service and applied like events, under the ids of their events.
 *
 * Why nothing is lost: an event applied before step 1 was committed by the bid service before it. The stream is opened
 * after step 1, so each of its statements sees that commit; and between two of them there is no gap, because they go by
 * ids of items and sequences of bids, which never change. What is committed later (a bid on an item whose bids were read
 * already, the end of an item that was read as active, a new item) may be met or not: its event can only be applied after
 * step 1, and stays.
 *
 * Why nothing is counted twice: what is met and also arrives has the same id, and the inbox takes whichever comes first.
 * That an end may come before its bids makes no difference, see project-events.ts.
 *
 * Killed in the middle, it is simply run again; a stream that breaks off goes on after the last item that had come whole.
 */
import { timestampMs } from '@bufbuild/protobuf/wkt'
import {
  type Bid,
  type BidService,
  type Item,
  ItemStatus,
  type StreamItemsResponse,
} from '@bidmesh/gen/bids/v1/bid_service_pb.ts'
import { ItemOutcome } from '@bidmesh/gen/bids/v1/item_outcome_pb.ts'
import { lifecycleEventId } from '@bidmesh/events/event-id.ts'
import { isTransient, messageOf } from '@bidmesh/platform/process/errors.ts'
import type { Session } from '@bidmesh/platform/postgres/session.ts'
import { type Client, Code, ConnectError } from '@connectrpc/connect'
import type { Fact } from './facts.ts'
import type { Leaderboards } from './leaderboards.ts'
import { projectFacts } from './project-events.ts'

/** Items and bids applied at once: about 80 ms of work, and live batches wait no longer than that. */
const CHUNK = 2_000
/** In a row, without a single item more. */
const BREAKS_MAX = 10
const PAUSE_MS = 1_000

/** @param total of items and bids, about; 0 when it is not known */
export type Progress = (done: number, total: number) => void

export type RebuildOptions = {
  /** The stats database. */
  session: Session
  bids: Pick<Client<typeof BidService>, 'streamItems'>
  leaderboards: Leaderboards
  /** Told after each chunk how many items and bids have been read. */
  onProgress: Progress
  /** Between a stream that broke off and the next; tests shorten it. */
  pauseMs?: number
}

/**
 * Returns how many items and bids were read. Rejects with the reason when the stream keeps breaking off, with nothing
 * thrown away when it never begins.
 */
export async function rebuild(options: RebuildOptions): Promise<number> {
  const { session, leaderboards, onProgress } = options
  await seeThatItIsTold(options)
  await session.transaction(async (transaction) => {
    await transaction.query((sql) => [
      // In the order in which a batch locks them.
      sql`TRUNCATE inbox_events, user_items, user_stats, user_amounts, item_stats, market_activity, activity`,
    ])
    // Under those locks, so that no batch writes in between; without Redis nothing is thrown away.
    await leaderboards.clear()
    return await transaction.commit(() => [])
  })
  let [done, total] = [0, 0]
  for await (const { facts, read, approximateTotal } of chunks(options)) {
    await leaderboards.update((await projectFacts(session, facts)).standings)
    done += read
    total ||= approximateTotal
    onProgress(done, total)
  }
  // Anew: a consumer that had committed before the TRUNCATE may have written its totals after the clearing.
  // Should Redis be unavailable now, the marker's hour mends it.
  await leaderboards.clear().catch(() => undefined)
  await leaderboards.refill()
  return done
}

/** By a stream of its own: what is applied must be read after the projections were thrown away. */
async function seeThatItIsTold(options: RebuildOptions): Promise<void> {
  const stream = messages(options)
  await stream.next()
  await stream.return(undefined)
}

type Chunk = { facts: Fact[]; read: number; approximateTotal: number }

async function* chunks(options: RebuildOptions): AsyncGenerator<Chunk> {
  let chunk: Chunk = { facts: [], read: 0, approximateTotal: 0 }
  for await (const { items, bids, approximateTotal, currencies } of messages(options)) {
    chunk.facts.push(
      ...items.flatMap(endFacts),
      ...bids.flatMap((bid) => bidFacts(bid, currencies)),
    )
    chunk.read += items.length + bids.length
    chunk.approximateTotal ||= Number(approximateTotal)
    if (chunk.read < CHUNK) continue
    yield chunk
    chunk = { ...chunk, facts: [], read: 0 }
  }
  yield chunk
}

type Message = StreamItemsResponse & {
  /** By item, of those whose bids may come now. */
  currencies: ReadonlyMap<string, string>
}

/** What came twice, because a stream broke off within an item, comes again. */
async function* messages({ bids, pauseMs = PAUSE_MS }: RebuildOptions): AsyncGenerator<Message> {
  let afterItemId = ''
  for (let breaks = 0; ; breaks += 1) {
    // However it ends: the bid service has few places for those who read all.
    const leaving = new AbortController()
    const { signal } = leaving
    try {
      const currencies = new Map<string, string>()
      for await (const message of bids.streamItems({ afterItemId }, { signal })) {
        if (message.items.length > 0) currencies.clear()
        for (const { id, currency } of message.items) currencies.set(id, currency)
        yield { ...message, currencies }
        const complete = message.completeUntilItemId
        // Where this stream went on is told again, and is no progress.
        if (complete === '' || complete === afterItemId) continue
        afterItemId = complete
        breaks = 0
      }
      return
    } catch (error) {
      if (!hasBrokenOff(error) || breaks >= BREAKS_MAX) throw inWords(error)
      await new Promise((resume) => setTimeout(resume, pauseMs))
    } finally {
      leaving.abort()
    }
  }
}

const brokenCodes = new Set([
  Code.Unavailable,
  Code.Aborted,
  Code.Canceled,
  Code.Internal,
  // By our own streams, too, until the bid service has seen that they broke off.
  Code.ResourceExhausted,
])

/** By a connection or a bid process that ended; not by what is done with the facts, nor by what was asked. */
function hasBrokenOff(error: unknown): boolean {
  return error instanceof ConnectError ? brokenCodes.has(error.code) : isTransient(error)
}

function inWords(error: unknown): unknown {
  if (!(error instanceof ConnectError)) return error
  if (error.code === Code.ResourceExhausted) {
    const words =
      'others are reading all items just now, four at most: run it again when they are done'
    return new Error(words, { cause: error })
  }
  return new Error(`the bid service stopped telling: ${messageOf(error)}`, { cause: error })
}

/** None for a bid on an item that came to be while its neighbours were read: its events are on their way. */
function bidFacts(bid: Bid, currencies: ReadonlyMap<string, string>): Fact[] {
  const { id, itemId, userId, amount, createdAt } = bid
  const currency = currencies.get(itemId)
  if (currency === undefined || !createdAt) return []
  const atMs = timestampMs(createdAt)
  return [{ kind: 'bid', eventId: id, itemId, userId, currency, amount, atMs }]
}

function endFacts(item: Item): Fact[] {
  if (item.status !== ItemStatus.ENDED || !item.endAt) return []
  const { id: itemId, currency, winnerId, hammerPrice } = item
  const outcome = item.outcome === ItemOutcome.SOLD ? 'sold' : 'unsold'
  const eventId = lifecycleEventId(itemId, 'item.ended')
  const atMs = timestampMs(item.endAt)
  return [{ kind: 'end', eventId, itemId, currency, atMs, outcome, winnerId, hammerPrice }]
}
