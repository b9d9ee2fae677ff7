/** What `make up` prints when everything is up: addresses, and a first bid by curl. */
import { clientIds, clientSecret } from '@bidmesh/dev-issuer/clients.ts'
import type { Stack } from './start-stack.ts'

/** Ends with the curl lines, which work as pasted into a shell. */
export function welcome(stack: Stack): string {
  const { bid, auctioneer, relay, stats, live, issuer, services, issuerUrl } = stack
  const rows = [...bid, ...auctioneer, ...relay, ...stats, ...live, ...issuer].map(
    ({ name, url }) => [name, url] as const,
  )
  const backing = [
    ['postgres', services.databaseUrl],
    ['rabbitmq', services.amqpUrl],
    ['redis', services.redisUrl],
  ] as const
  const addresses = [...rows, ...backing].map(([name, url]) => `  ${name.padEnd(14)} ${url}\n`)
  /** As one user. */
  const curl = (user: string, url: string, body: string): string => {
    const token = issuerUrl === undefined ? '' : ` -H "authorization: Bearer $(token ${user})"`
    return `curl -s ${url} -H 'content-type: application/json'${token} -d '${body}'`
  }
  const [bidUrl, otherUrl, statsUrl] = [bid[0]?.url, bid.at(-1)?.url, stats[0]?.url]
  return `
Bidmesh is up (services from: ${services.source}). Ctrl-C stops everything.

${addresses.join('')}
Each process also answers /healthz, /readyz and /metrics. A first bid, over both bid processes:
${issuerUrl === undefined ? '' : `\n  ${tokenFunction(issuerUrl)}`}
  ITEM=$(${curl('sam', `${bidUrl}/bids.v1.BidService/CreateItem`, newItem())} | sed 's/.*"id":"\\([^"]*\\)".*/\\1/')
  ${curl('ann', `${otherUrl}/bids.v1.BidService/PlaceBid`, `{"item_id":"'$ITEM'","amount":"1500","user_id":"ann"}`)}
  ${curl('ann', `${statsUrl}/userstats.v1.UserStatsService/GetUserStats`, '{"user_id":"ann"}')}

And every change of the item as it happens (Ctrl-C ends it):

  curl -sN ${live[0]?.url}/live/items/$ITEM

`
}

/** For the shell: `token ann` prints one. */
function tokenFunction(issuer: string): string {
  const client = `-d client_id=${clientIds.scripts} -d client_secret=${clientSecret} -d user="$1"`
  const field = `grep -o '"access_token":"[^"]*' | cut -d'"' -f4`
  return `token() { curl -s ${issuer}/token -d grant_type=client_credentials ${client} | ${field}; }`
}

function newItem(): string {
  const endAt = new Date(Date.now() + 24 * 3_600_000).toISOString()
  return `{"title":"Brass telescope","start_price":"1000","seller_id":"sam","currency":"EUR","end_at":"${endAt}"}`
}
