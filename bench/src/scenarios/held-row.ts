/**
 * (i) A stranger's transaction locks one item's row and does nothing more for four seconds, while bids on
 * twenty other items come at 100/s, and some on the held one. About half of the others share its lane: a lane
 * that waited would be their p99. Bids on the held item have to be decided as soon as it is free.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { messageOf } from '@bidmesh/platform/process/errors.ts'
import { inTransaction } from '@bidmesh/platform/testing/in-transaction.ts'
import { type BidAnswer, bidRequest, placeBidPath, readBidAnswer } from '../load/bid-call.ts'
import { drainAndCheck } from '../drain-and-check.ts'
import { type Figure, formatNumber, type Outcome } from '../report/figure.ts'
import { INCREMENT_MINOR, type LoadResult } from '../load/load-generator.ts'
import {
  medianOf,
  p50Ms,
  p99Ms,
  ratioOf,
  type Results,
  runOn,
  takeTurns,
  warmUp,
} from '../rounds.ts'
import { startTarget, type Target } from '../target.ts'
import { targetNotes } from '../report/target-notes.ts'
import type { World } from '../world.ts'

const itemCount = 20
/** Together with `measureMs` the four seconds: a bid on the held item waits for five and is rejected then. */
const warmUpMs = 500
const measureMs = 3_500
const heldBids = 8
const heldBidEveryMs = 400

type HeldBid = { answer: BidAnswer; afterReleaseMs: number }

export async function runHeldRow(world: World): Promise<Outcome> {
  await using cleanup = new AsyncDisposableStack()
  const lanes = await startTarget(world, cleanup, 'lanes', 'held_row', 1 + itemCount)
  const others = { ...lanes, items: lanes.items.slice(1) }
  const options = { bidders: 64, sight: 'shared', ratePerSecond: 100, warmUpMs, measureMs } as const
  const bid = () => runOn(world, others, options)
  await warmUp(world, lanes)
  const held: HeldBid[] = []
  const results = await takeTurns(world, {
    free: bid,
    held: async () => {
      const { result, answers } = await whileHeld(lanes, bid)
      held.push(...answers)
      return result
    },
  })
  return {
    figures: figures(results, held),
    notes: targetNotes(results),
    violations: [...held.flatMap(wrong), ...(await drainAndCheck(world, lanes))],
  }
}

/** Holds the row of the first item for as long as the others' bids take. */
async function whileHeld(
  lanes: Target,
  bidOnOthers: () => Promise<LoadResult>,
): Promise<{ result: LoadResult; answers: HeldBid[] }> {
  const { result, answering, releasedMs } = await inTransaction(lanes.databaseUrl, async (tx) => {
    await tx`SELECT FROM items WHERE id = ${lanes.items[0]?.id ?? ''} FOR UPDATE`
    const bids = bidOnHeld(lanes)
    return { result: await bidOnOthers(), answering: bids, releasedMs: performance.now() }
  })
  const answers = (await answering).map(({ answer, answeredMs }) => ({
    answer,
    afterReleaseMs: answeredMs - releasedMs,
  }))
  return { result, answers }
}

/** One after the other, whatever becomes of those before. Never rejects. */
async function bidOnHeld({ server, items, ledger }: Target) {
  const [item] = items
  if (item === undefined) throw new Error('there is no item to hold')
  const answers = []
  for (let sent = 0; sent < heldBids; sent += 1) {
    const bid = { itemId: item.id, userId: `patient-${sent}`, amount: item.nextBid }
    item.nextBid += INCREMENT_MINOR
    answers.push(
      postBid(server.url, bid).then((answer) => {
        if (answer.kind === 'accepted') {
          const { bidId, sequence } = answer
          ledger.push({ ...bid, bidId, sequence, amount: BigInt(bid.amount) })
        }
        return { answer, answeredMs: performance.now() }
      }),
    )
    await sleep(heldBidEveryMs)
  }
  return await Promise.all(answers)
}

type Bid = { itemId: string; userId: string; amount: number }

async function postBid(url: string, { itemId, userId, amount }: Bid): Promise<BidAnswer> {
  try {
    const response = await fetch(`${url}${placeBidPath}`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: bidRequest(itemId, userId, amount),
    })
    return readBidAnswer(response.status, await response.text())
  } catch (error) {
    return { kind: 'failed', code: messageOf(error) }
  }
}

function wrong({ answer, afterReleaseMs }: HeldBid): string[] {
  if (answer.kind === 'failed') return [`a bid on the held item was not decided: ${answer.code}`]
  return afterReleaseMs < 0 ? ['a bid on the held item was decided while it was held'] : []
}

function figures(results: Results, held: readonly HeldBid[]): Figure[] {
  const scenario = 'held row'
  const beside = (name: string, measure: typeof p99Ms): Omit<Figure, 'target'> => ({
    scenario,
    name: `${name} of bids on ${itemCount} others at 100/s, ms`,
    ours: formatNumber(medianOf(results, 'held', measure)),
    against: `${formatNumber(medianOf(results, 'free', measure))} when nothing is held`,
    value: ratioOf(results, ['held', 'free'], measure),
  })
  const lastMs = Math.max(...held.map(({ afterReleaseMs }) => afterReleaseMs))
  const decided = held.filter(({ answer }) => answer.kind !== 'failed').length
  return [
    beside('p50', p50Ms),
    { ...beside('p99', p99Ms), target: { kind: 'at most', value: 3, unit: '×' } },
    {
      scenario,
      name: 'bids on the held item, slowest answer after its release, ms',
      ours: formatNumber(lastMs),
      against: `${decided} of ${held.length} decided`,
      value: lastMs,
      target: { kind: 'at most', value: 250, unit: 'ms' },
    },
  ]
}
