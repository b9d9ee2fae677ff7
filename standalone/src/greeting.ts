/** What a newcomer reads when standalone is up: where it is, and a bid to paste. */
import {
  type BidService,
  type Item,
  ItemStatus,
  ListItemsRequest_OrderBy as OrderBy,
} from '@bidmesh/gen/bids/v1/bid_service_pb.ts'
import type { Client } from '@connectrpc/connect'

/** The lines to print; the curl line is accepted as it stands. */
export async function greeting(url: string, bids: Client<typeof BidService>): Promise<string> {
  const { items } = await bids.listItems({
    status: ItemStatus.ACTIVE,
    orderBy: OrderBy.ENDING_SOON,
    pageSize: 100,
  })
  // The last to end: the line should still work after a coffee.
  const item = items.at(-1)
  const lines = [
    '',
    `  Bidmesh is up: ${url}`,
    '',
    ...(item ? bidLines(url, item) : createLines(url)),
    `  Procedures and pages: curl ${url}/      Stop: Ctrl-C`,
    '',
  ]
  return lines.join('\n')
}

function bidLines(url: string, item: Item): string[] {
  const bid = { item_id: item.id, amount: String(item.minimumNextBid), user_id: 'ann' }
  return [
    `  Bid on "${item.title}":`,
    `  ${curl(url, 'bids.v1.BidService/PlaceBid', bid)}`,
    '',
    `  And read the bidder's statistics:`,
    `  ${curl(url, 'userstats.v1.UserStatsService/GetUserStats', { user_id: 'ann' })}`,
    '',
    '  Watch it, in another terminal:',
    `  curl -N ${url}/live/items/${item.id}`,
    '',
  ]
}

function createLines(url: string): string[] {
  const endAt = new Date(Date.now() + 86_400_000).toISOString()
  const item = { title: 'Lamp', start_price: '1000', end_at: endAt, seller_id: 'bob' }
  return [
    '  No auction is running. Put an item up:',
    `  ${curl(url, 'bids.v1.BidService/CreateItem', item)}`,
    '',
  ]
}

function curl(url: string, procedure: string, body: object): string {
  return `curl ${url}/${procedure} -H 'content-type: application/json' -d '${JSON.stringify(body)}'`
}
