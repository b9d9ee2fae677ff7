/** What a newcomer finds in a store where nothing is open: auctions to bid on at once, the first over in minutes. */
import { timestampFromMs } from '@bufbuild/protobuf/wkt'
import { type BidService, ItemStatus } from '@bidmesh/gen/bids/v1/bid_service_pb.ts'
import type { Client } from '@connectrpc/connect'

const MINUTE_MS = 60_000
const HOUR_MS = 60 * MINUTE_MS

type DemoItem = {
  title: string
  description: string
  category: string
  sellerId: string
  /** Cents. */
  startPrice: bigint
  /** Absent: takes bids at once. */
  startsInMs?: number
  endsInMs: number
}

/** In the order they are put up: the shortest first, so that lists of the newest show the ones that stay. */
const demoItems: readonly DemoItem[] = [
  {
    title: 'Bakelite table telephone',
    description:
      'Black, 1951, rings loud enough for two floors. Cable renewed, works on most lines.',
    category: 'curiosities',
    sellerId: 'pia',
    startPrice: 2_400n,
    endsInMs: 5 * MINUTE_MS,
  },
  {
    title: 'Hand-thrown tea bowl',
    description: 'Stoneware with an ash glaze that ran where it wanted. Signed by the potter.',
    category: 'kitchen',
    sellerId: 'nadia',
    startPrice: 1_800n,
    endsInMs: 12 * MINUTE_MS,
  },
  {
    title: 'Goalkeeper’s shirt, 1990',
    description: 'Worn in the rain, washed once, signed on the back. With a letter that says so.',
    category: 'sports',
    sellerId: 'oskar',
    startPrice: 6_000n,
    endsInMs: 40 * MINUTE_MS,
  },
  {
    title: 'Armchair, oak and wool',
    description: 'Made in Aarhus around 1955. New webbing, the wool is the first one and good.',
    category: 'furniture',
    sellerId: 'nadia',
    startPrice: 28_000n,
    endsInMs: 2 * HOUR_MS,
  },
  {
    title: 'Upright piano, 1911',
    description: 'Iron frame, tuned in spring. Takes four people to carry and one to love.',
    category: 'music',
    sellerId: 'oskar',
    startPrice: 60_000n,
    startsInMs: 15 * MINUTE_MS,
    endsInMs: 5 * HOUR_MS,
  },
  {
    title: 'Leica M3 rangefinder, 1957',
    description:
      'Single stroke, shutter serviced last year, viewfinder clear. With a 50 mm Summicron.',
    category: 'cameras',
    sellerId: 'nadia',
    startPrice: 90_000n,
    endsInMs: 6 * HOUR_MS,
  },
  {
    title: 'Walnut writing desk',
    description: 'Danish, about 1962, two drawers. Some rings on the top, joints firm.',
    category: 'furniture',
    sellerId: 'oskar',
    startPrice: 32_000n,
    endsInMs: 26 * HOUR_MS,
  },
  {
    title: 'First pressing: Kind of Blue',
    description: 'Columbia six-eye, mono. Sleeve with a split seam, record plays clean.',
    category: 'records',
    sellerId: 'nadia',
    startPrice: 8_000n,
    endsInMs: 49 * HOUR_MS,
  },
  {
    title: 'Steel road bicycle, 56 cm',
    description: 'Hand-built in Turin in 1984, full group, new tyres. Ridden every Sunday.',
    category: 'sports',
    sellerId: 'pia',
    startPrice: 45_000n,
    endsInMs: 73 * HOUR_MS,
  },
  {
    title: 'Box of 200 wooden type letters',
    description: 'Grotesk, 72 point, two missing. From a closed printing shop in Leipzig.',
    category: 'curiosities',
    sellerId: 'oskar',
    startPrice: 2_500n,
    endsInMs: 120 * HOUR_MS,
  },
]

/**
 * Puts up the demo items when nothing is open: in an empty store, and when all have ended since. Returns how
 * many.
 */
export async function putUpDemoItems(bids: Client<typeof BidService>): Promise<number> {
  for (const status of [ItemStatus.ACTIVE, ItemStatus.SCHEDULED]) {
    const { items } = await bids.listItems({ status, pageSize: 1 })
    if (items.length > 0) return 0
  }
  for (const { startsInMs, endsInMs, ...item } of demoItems) {
    const nowMs = Date.now()
    const startAt = startsInMs === undefined ? {} : { startAt: timestampFromMs(nowMs + startsInMs) }
    const endAt = timestampFromMs(nowMs + endsInMs)
    await bids.createItem({ ...item, ...startAt, currency: 'EUR', endAt })
  }
  return demoItems.length
}
