/** What a newcomer finds in an empty store: a handful of auctions to bid on at once. */
import { timestampFromMs } from '@bufbuild/protobuf/wkt'
import type { BidService } from '@bidmesh/gen/bids/v1/bid_service_pb.ts'
import type { Client } from '@connectrpc/connect'

const HOUR_MS = 3_600_000

const demoItems = [
  {
    title: 'Leica M3 rangefinder, 1957',
    description:
      'Single stroke, shutter serviced last year, viewfinder clear. With a 50 mm Summicron.',
    category: 'cameras',
    sellerId: 'nadia',
    startPrice: 90_000n,
    hours: 6,
  },
  {
    title: 'Walnut writing desk',
    description: 'Danish, about 1962, two drawers. Some rings on the top, joints firm.',
    category: 'furniture',
    sellerId: 'oskar',
    startPrice: 32_000n,
    hours: 26,
  },
  {
    title: 'First pressing: Kind of Blue',
    description: 'Columbia six-eye, mono. Sleeve with a split seam, record plays clean.',
    category: 'records',
    sellerId: 'nadia',
    startPrice: 8_000n,
    hours: 49,
  },
  {
    title: 'Steel road bicycle, 56 cm',
    description: 'Hand-built in Turin in 1984, full group, new tyres. Ridden every Sunday.',
    category: 'sports',
    sellerId: 'pia',
    startPrice: 45_000n,
    hours: 73,
  },
  {
    title: 'Box of 200 wooden type letters',
    description: 'Grotesk, 72 point, two missing. From a closed printing shop in Leipzig.',
    category: 'curiosities',
    sellerId: 'oskar',
    startPrice: 2_500n,
    hours: 120,
  },
] as const

/** Puts up the demo items when no item was ever put up; returns how many. */
export async function putUpDemoItems(bids: Client<typeof BidService>): Promise<number> {
  const { items } = await bids.listItems({ pageSize: 1 })
  if (items.length > 0) return 0
  for (const { hours, ...item } of demoItems) {
    const endAt = timestampFromMs(Date.now() + hours * HOUR_MS)
    await bids.createItem({ ...item, currency: 'EUR', endAt })
  }
  return demoItems.length
}
