/**
 * 200 bids a second and a few viewers, all through the ingress and as real clients are: a bid without a decision is
 * sent again with its key, a stream that is lost is resumed. Every bid must be decided, and no viewer may see a gap.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { eventually } from '@bidmesh/platform/testing/eventually.ts'
import { type Crowd, gatherCrowd } from '../faults/bidding-crowd.ts'
import { callJson } from '../call-json.ts'
import { readTold } from '../faults/live-sighting.ts'
import { Viewer } from '../faults/live-viewer.ts'
import { apiUrl, type ClusterWorld } from './cluster-world.ts'

const items = 4
const bidders = 20
const everyMs = 100
const viewersPerItem = 10
const startPrice = 100
/** A stream that is being resumed when the bidding ends, and its first snapshot. */
const settleLimitMs = 60_000
const sampleMs = 20
/** How a proxy refuses, and a live process that stops or gets no answer of the bid service: the viewer comes again. */
const refusal = /^refused with 50[234]/

export type Load = {
  crowd: Crowd
  /** The longest that nobody was answered since the last call, in ms. */
  takePauseMs: () => number
}

export type LoadReport = {
  /** Accepted or refused, all within `seconds`. */
  decided: number
  seconds: number
  /** Bids nobody decided at the first try. */
  retries: number
  /** Streams that were refused and came again. */
  refusedStreams: number
}

/** Runs `body` under the load, and returns what the load saw of it. Throws when it saw what must not be. */
export async function underLoad(
  world: ClusterWorld,
  body: (load: Load) => Promise<void>,
): Promise<LoadReport> {
  const itemIds = await Promise.all(Array.from({ length: items }, () => putItem()))
  const complaints: string[] = []
  let refusedStreams = 0
  const complain = (complaint: string): void => {
    if (refusal.test(complaint)) refusedStreams += 1
    else complaints.push(complaint)
  }
  const viewers = itemIds.flatMap((itemId) =>
    Array.from({ length: viewersPerItem }, () => {
      const options = { urls: [apiUrl], home: 0, itemId, userId: '', read: readTold, complain }
      return new Viewer(options)
    }),
  )
  for (const viewer of viewers) viewer.come()
  await eventually(() => viewers.every(({ connected }) => connected))
  const crowd = gatherCrowd({
    urls: [apiUrl],
    itemIds,
    bidders,
    startPrice,
    everyMs,
    proxied: true,
  })
  const pause = watchPauses(crowd)
  const startedMs = performance.now()
  let seconds = 0
  try {
    await body({ crowd, takePauseMs: pause.takeMs })
  } finally {
    seconds = (performance.now() - startedMs) / 1_000
    await crowd.leave()
    pause.stop()
    world.ledger.push(...crowd.ledger)
    await eventually(() => areUpToDate(viewers), { limitMs: settleLimitMs, intervalMs: 500 }).catch(
      (error: unknown) => complaints.push(String(error)),
    )
    for (const viewer of viewers) viewer.leave()
  }
  const refused = [...crowd.refused.values()].reduce((sum, count) => sum + count, 0)
  const wrong = [...crowd.surprises, ...complaints]
  if (wrong.length > 0) throw new Error(`${wrong.length} × ${wrong.slice(0, 5).join('; ')}`)
  return {
    decided: crowd.ledger.length + refused,
    seconds,
    retries: crowd.retries(),
    refusedStreams,
  }
}

export function words({ decided, seconds, retries, refusedStreams }: LoadReport): string {
  return (
    `${decided} bids decided (${Math.round(decided / seconds)}/s), none failed, ${retries} sent again; ` +
    `${items * viewersPerItem} viewers without a gap, ${refusedStreams} streams refused at first`
  )
}

/** Resolves when bidding goes on as before, and has for a moment. */
export async function bidsFlow({ crowd }: Load, bids = 200): Promise<void> {
  const goal = crowd.ledger.length + bids
  while (crowd.ledger.length < goal) await sleep(sampleMs)
}

async function putItem(): Promise<string> {
  const { item } = await callJson<{ item: { id: string } }>(
    apiUrl,
    'bids.v1.BidService/CreateItem',
    {
      title: 'Lamp',
      sellerId: 'seller',
      startPrice,
      minIncrement: 1,
      endAt: new Date(Date.now() + 86_400_000).toISOString(),
      softClose: { maxExtensions: 0 },
    },
  )
  return item.id
}

/** I6: who watches has seen the last bid. */
async function areUpToDate(viewers: readonly Viewer[]): Promise<void> {
  for (const id of new Set(viewers.map(({ itemId }) => itemId))) {
    const { item } = await callJson<{ item: { sequence: string; version: string } }>(
      apiUrl,
      'bids.v1.BidService/GetItem',
      { id },
    )
    const behind = viewers.filter(
      ({ itemId, sighting }) => itemId === id && sighting?.version !== Number(item.version),
    )
    if (behind.length > 0) throw new Error(`${behind.length} viewers are behind`)
  }
}

function watchPauses({ ledger }: Crowd) {
  let [seen, sinceMs, longestMs] = [0, performance.now(), 0]
  const timer = setInterval(() => {
    longestMs = Math.max(longestMs, performance.now() - sinceMs)
    if (ledger.length === seen) return
    seen = ledger.length
    sinceMs = performance.now()
  }, sampleMs)
  const takeMs = (): number => {
    const taken = Math.round(longestMs)
    longestMs = 0
    return taken
  }
  return { takeMs, stop: () => clearInterval(timer) }
}
