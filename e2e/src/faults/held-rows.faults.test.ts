/**
 * Somebody does not let go: a transaction that was forgotten holds rows, and a bid process stands still with
 * its locks, while bidders bid.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { eventually } from '@bidmesh/platform/testing/eventually.ts'
import { inTransaction } from '@bidmesh/platform/testing/in-transaction.ts'
import { expect } from 'vitest'
import { callJson } from '../call-json.ts'
import type { Fault, FaultWorld } from './fault-round.ts'
import { faultSeries } from './fault-series.ts'
import { postBid } from '../post-bid.ts'

/** How long the rows are held: about as long as their bids wait, so that some are refused and some decided. */
const heldMs = { least: 1_000, most: 6_000 }
/** A process that stands still; its locks go after 2 s. */
const frozenMs = { least: 3_500, most: 5_000 }
/** A stranger's bid or end, on a machine that is busy with everything else: far below the wait for a held row. */
const strangerLimitMs = 2_500
const strangerBids = 50
/** Long enough to be put up on a busy machine. */
const endsInMs = 2_000
/** An item that a process at a standstill holds: 2 s for the server to notice, and a bid among many others. */
const freedLimitMs = 5_000

/** An item of somebody who has nothing to do with the rows that are held. */
async function strangersItem(url: string, lifeMs: number): Promise<string> {
  const { item } = await callJson<{ item: { id: string } }>(url, 'bids.v1.BidService/CreateItem', {
    title: 'Vase',
    sellerId: 'stranger',
    startPrice: 100,
    minIncrement: 1,
    endAt: new Date(Date.now() + lifeMs).toISOString(),
    softClose: { maxExtensions: 0 },
  })
  return item.id
}

/** Bids on the item until one is accepted, or the limit has passed; writes it into the ledger. */
async function bidUntilAccepted(world: FaultWorld, url: string, itemId: string): Promise<void> {
  let amount = 100
  await eventually(
    async () => {
      const bid = { itemId, userId: 'stranger-bidder', amount }
      const answer = await postBid(url, bid)
      if (answer.kind === 'failed') throw new Error(`not decided: ${answer.code}`)
      amount = answer.minimumNextBid
      if (answer.kind === 'rejected') throw new Error(`refused: ${answer.reason}`)
      const { bidId, sequence } = answer
      world.ledger.push({ ...bid, bidId, sequence, amount: BigInt(bid.amount) })
    },
    { limitMs: freedLimitMs, intervalMs: 0 },
  )
}

/** The items the crowd bids on; the one that ends within the round is among them while it is open. */
async function itemsOfRound({ bidSql }: FaultWorld): Promise<{ id: string; lasts: boolean }[]> {
  return await bidSql<{ id: string; lasts: boolean }[]>`
    SELECT id, end_at > created_at + interval '1 hour' AS lasts FROM items
    WHERE status = 'active' AND seller_id = 'seller'
    ORDER BY created_at DESC, id DESC LIMIT 4`
}

const rowHeld: Fault = {
  name: 'rows are held by a stranger',
  strike: async (world, random) => {
    const { stack, bidSql } = world
    const url = random.pick(stack.bid).url
    const free = await strangersItem(url, 86_400_000)
    const all = await itemsOfRound(world)
    const held = [random.pick(all).id, random.pick(all).id]
    await inTransaction(stack.bidDatabaseUrl, async (tx) => {
      await tx`SELECT FROM items WHERE id = ANY (${held}::uuid[]) ORDER BY id FOR UPDATE`
      const until = performance.now() + random.between(heldMs.least, heldMs.most)
      const ending = await strangersItem(url, endsInMs)
      let slowestMs = 0
      for (let bids = 0; bids < strangerBids; bids += 1) {
        const startedMs = performance.now()
        await bidUntilAccepted(world, url, free)
        slowestMs = Math.max(slowestMs, performance.now() - startedMs)
      }
      expect(slowestMs).toBeLessThan(strangerLimitMs)
      await eventually(
        async () => {
          const [row] = await bidSql`SELECT status FROM items WHERE id = ${ending}`
          expect(row).toEqual({ status: 'ended' })
        },
        { limitMs: endsInMs + strangerLimitMs },
      )
      await sleep(Math.max(0, until - performance.now()))
    })
  },
}

/** Stops the process in the middle of a transaction: one that has locked rows and not yet written. */
async function stopMidTransaction({ bidSql }: FaultWorld, pid: number): Promise<void> {
  const midTransaction = async () => {
    const rows = await bidSql`
      SELECT FROM pg_stat_activity
      WHERE datname = current_database() AND application_name = 'bidmesh bid lane'
        AND state = 'idle in transaction' AND state_change < clock_timestamp() - interval '0.2 s'`
    return rows.length > 0
  }
  await eventually(async () => {
    process.kill(pid, 'SIGSTOP')
    await sleep(300)
    if (await midTransaction()) return true
    process.kill(pid, 'SIGCONT')
    await sleep(20)
    return false
  })
}

const processFrozen: Fault = {
  name: 'a bid process stands still with its locks',
  strike: async (world, random) => {
    const { stack } = world
    const victim = random.pick(stack.bid)
    const other = stack.bid.find((each) => each !== victim)
    const pid = victim.pid
    if (!pid || !other) throw new Error('the stack has no two bid processes')
    const lasting = (await itemsOfRound(world)).filter(({ lasts }) => lasts)
    try {
      await stopMidTransaction(world, pid)
      const wokenAt = performance.now() + random.between(frozenMs.least, frozenMs.most)
      // Whatever it holds: others are served long before it wakes up.
      await Promise.all(lasting.map(({ id }) => bidUntilAccepted(world, other.url, id)))
      await sleep(Math.max(0, wokenAt - performance.now()))
    } finally {
      process.kill(pid, 'SIGCONT')
    }
  },
}

faultSeries([rowHeld, processFrozen])
