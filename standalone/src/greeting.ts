/** What a newcomer reads when standalone is up: where it is, and a bid to paste. */
import {
  type BidService,
  type Item,
  ItemStatus,
  ListItemsRequest_OrderBy as OrderBy,
} from '@bidmesh/gen/bids/v1/bid_service_pb.ts'
import { clientIds, clientSecret } from '@bidmesh/dev-issuer/clients.ts'
import type { Client } from '@connectrpc/connect'

/**
 * The lines to print; the curl line is accepted as it stands.
 *
 * @param issuer of the tokens that it needs besides, if any
 */
export async function greeting(
  url: string,
  bids: Client<typeof BidService>,
  issuer?: string,
): Promise<string> {
  const { items } = await bids.listItems({
    status: ItemStatus.ACTIVE,
    orderBy: OrderBy.ENDING_SOON,
    pageSize: 100,
  })
  // The last to end: the line should still work after a coffee.
  const item = items.at(-1)
  const call = callOf(url, issuer)
  const lines = [
    '',
    `  Bidmesh is up: ${url}`,
    '',
    ...(issuer === undefined ? [] : tokenLines(issuer)),
    ...(item ? bidLines(call, item) : createLines(call)),
    ...(item
      ? ['  Watch it, in another terminal:', `  curl -N ${url}/live/items/${item.id}`, '']
      : []),
    `  Procedures and pages: curl ${url}/      Stop: Ctrl-C`,
    '',
  ]
  return lines.join('\n')
}

function tokenLines(issuer: string): string[] {
  const asked = `grant_type=client_credentials -d client_id=${clientIds.scripts} -d client_secret=${clientSecret}`
  return [
    '  Anybody signs in to the web app, under any name. For curl, a token of ann:',
    `  TOKEN=$(curl -s ${issuer}/token -d ${asked} -d user=ann | grep -o '"access_token":"[^"]*' | cut -d'"' -f4)`,
    '',
  ]
}

function bidLines(call: Call, item: Item): string[] {
  const bid = { item_id: item.id, amount: String(item.minimumNextBid), user_id: 'ann' }
  return [
    `  Bid on "${item.title}":`,
    `  ${call('bids.v1.BidService/PlaceBid', bid)}`,
    '',
    `  And read the bidder's statistics:`,
    `  ${call('userstats.v1.UserStatsService/GetUserStats', { user_id: 'ann' })}`,
    '',
  ]
}

function createLines(call: Call): string[] {
  const endAt = new Date(Date.now() + 86_400_000).toISOString()
  const item = { title: 'Lamp', start_price: '1000', end_at: endAt, seller_id: 'ann' }
  return [
    '  No auction is running. Put an item up:',
    `  ${call('bids.v1.BidService/CreateItem', item)}`,
    '',
  ]
}

/** A line of curl that calls a procedure. */
type Call = (procedure: string, body: object) => string

function callOf(url: string, issuer: string | undefined): Call {
  const token = issuer === undefined ? '' : ' -H "authorization: Bearer $TOKEN"'
  const json = "-H 'content-type: application/json'"
  return (procedure, body) =>
    `curl ${url}/${procedure} ${json}${token} -d '${JSON.stringify(body)}'`
}
