/** What `make up` prints when everything is up: addresses, and a first bid by curl. */
import type { Stack } from './start-stack.ts'

/** Ends with the curl lines, which work as pasted into a shell. */
export function welcome({ bid, auctioneer, relay, stats, live, services }: Stack): string {
  const rows = [...bid, ...auctioneer, ...relay, ...stats, ...live].map(
    ({ name, url }) => [name, url] as const,
  )
  const backing = [
    ['postgres', services.databaseUrl],
    ['rabbitmq', services.amqpUrl],
    ['redis', services.redisUrl],
  ] as const
  const addresses = [...rows, ...backing].map(([name, url]) => `  ${name.padEnd(14)} ${url}\n`)
  const [bidUrl, otherUrl, statsUrl] = [bid[0]?.url, bid.at(-1)?.url, stats[0]?.url]
  return `
Bidmesh is up (services from: ${services.source}). Ctrl-C stops everything.

${addresses.join('')}
Each process also answers /healthz, /readyz and /metrics. A first bid, over both bid processes:

  ITEM=$(${curl(`${bidUrl}/bids.v1.BidService/CreateItem`, newItem())} | sed 's/.*"id":"\\([^"]*\\)".*/\\1/')
  ${curl(`${otherUrl}/bids.v1.BidService/PlaceBid`, `{"item_id":"'$ITEM'","amount":"1500","user_id":"ann"}`)}
  ${curl(`${statsUrl}/userstats.v1.UserStatsService/GetUserStats`, '{"user_id":"ann"}')}

And every change of the item as it happens (Ctrl-C ends it):

  curl -sN ${live[0]?.url}/live/items/$ITEM

`
}

function curl(url: string, body: string): string {
  return `curl -s ${url} -H 'content-type: application/json' -d '${body}'`
}

function newItem(): string {
  const endAt = new Date(Date.now() + 24 * 3_600_000).toISOString()
  return `{"title":"Brass telescope","start_price":"1000","seller_id":"sam","currency":"EUR","end_at":"${endAt}"}`
}
