import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { isRunning } from '@bidmesh/platform/process/process-end.ts'
import { eventually } from '@bidmesh/platform/testing/eventually.ts'
import type { BidmeshProcess } from './bidmesh-process.ts'
import { type Stack, startStack } from './start-stack.ts'
import { welcome } from './welcome.ts'

const run = promisify(execFile)

let stack: Stack

beforeAll(async () => {
  stack = await startStack({ log: { info: () => undefined, warn: () => undefined } })
})

afterAll(async () => {
  await stack.stop()
})

async function call(on: BidmeshProcess | undefined, procedure: string, body: object) {
  const response = await fetch(`${on?.url}/${procedure}`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
  })
  return { status: response.status, body: await response.text() }
}

async function createItem(): Promise<string> {
  const { body } = await call(stack.bid[0], 'bids.v1.BidService/CreateItem', {
    title: 'Clock',
    start_price: 1_000,
    seller_id: 'sam',
    currency: 'EUR',
    end_at: new Date(Date.now() + 3_600_000).toISOString(),
  })
  return /"id":"([^"]+)"/.exec(body)?.[1] ?? body
}

test('the curl lines it greets with work as pasted', async () => {
  const lines = welcome(stack)
    .split('\n')
    .filter((line) => /^ +(ITEM=|curl )/.test(line))
    // The stream ends when somebody ends it.
    .map(
      (line) =>
        line.replace('curl -sN', 'curl -sN --max-time 2') +
        (line.includes('-sN') ? ' || true' : ''),
    )
  const { stdout } = await run('bash', ['-ec', lines.join('\n')])
  expect(stdout).toContain('"amount":"1500"')
  expect(stdout).toMatch(/^id: 1\ndata: \{"sequence":"1"/m)
  await eventually(async () => {
    const stats = { user_id: 'ann' }
    const { body } = await call(stack.stats[0], 'userstats.v1.UserStatsService/GetUserStats', stats)
    expect(body).toContain('"totalBids":"1","totalAmount":"1500"')
  })
})

test('bidding goes on at one process while another is killed, and it comes back', async () => {
  const [first, second] = stack.bid
  const item = await createItem()
  await first?.kill9()
  const bid = { item_id: item, user_id: 'eve', amount: 2_000 }
  expect((await call(second, 'bids.v1.BidService/PlaceBid', bid)).status).toBe(200)
  await first?.start()
  const higher = { ...bid, amount: 3_000 }
  expect((await call(first, 'bids.v1.BidService/PlaceBid', higher)).status).toBe(200)
})

test('after stop nothing is left', async () => {
  const processes = [
    ...stack.bid,
    ...stack.auctioneer,
    ...stack.relay,
    ...stack.stats,
    ...stack.live,
  ]
  const { postgres, rabbitmq, redis } = stack.services
  const pids = [...processes, postgres, rabbitmq, redis].flatMap((each) => each?.pid ?? [])
  expect(pids.filter(isRunning)).toEqual(pids)
  await stack.stop()
  await eventually(() => expect(pids.filter(isRunning)).toEqual([]))
})
