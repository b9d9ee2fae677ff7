import { callJson } from '../call-json.ts'
import { type Attack, type AttackContext, scaled, untilOver } from './attack.ts'
import { countOpen, openSockets } from './raw-socket.ts'
import { watchItemsRequest } from './watch-requests.ts'

const VIEWERS = 600
/** As many as a list may name. */
const IDS = 500
const CREATED_AT_ONCE = 20

export const listStreams: Attack = {
  name: 'list-streams',
  description:
    '600 viewers of lists of 500 items each, every list another one, changing all the time',
  run: async (context) => {
    const itemIds = [...context.itemIds, ...(await createItems(context, IDS))].slice(0, IDS + 1)
    let [received, answered] = [0, 0]
    const sockets = await openSockets(context, scaled(VIEWERS, context), (socket, index) => {
      socket.once('data', () => (answered += 1))
      socket.on('data', (part: Buffer) => (received += part.length))
      // All but one, of the created ones: the others are being bid on.
      const left = context.itemIds.length + (index % (IDS - context.itemIds.length))
      socket.write(watchItemsRequest(itemIds.filter((_, place) => place !== left)))
    })
    await untilOver(context)
    const megabytes = (received / 1e6).toFixed(1)
    return `${answered} lists answered, ${countOpen(sockets)} open at the end, ${megabytes} MB read`
  },
}

async function createItems({ url, signal }: AttackContext, count: number): Promise<string[]> {
  const ids: string[] = []
  while (ids.length < count && !signal.aborted) {
    const batch = Array.from({ length: CREATED_AT_ONCE }, () => createItem(url))
    ids.push(...(await Promise.all(batch)))
  }
  return ids
}

async function createItem(url: string): Promise<string> {
  const { item } = await callJson<{ item: { id: string } }>(url, 'bids.v1.BidService/CreateItem', {
    title: 'In a list',
    sellerId: 'seller',
    startPrice: 1,
    endAt: new Date(Date.now() + 3_600_000).toISOString(),
  })
  return item.id
}
