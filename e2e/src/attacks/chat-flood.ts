import { setTimeout as sleep } from 'node:timers/promises'
import { type Attack, type AttackContext, scaled } from './attack.ts'
import { countOpen, openSockets } from './raw-socket.ts'
import { watchItemRequest } from './watch-requests.ts'

const VIEWERS = 500
const LINES_PER_SECOND = 1_000
const INTERVAL_MS = 20
/** Unanswered at once, so that a server that is slow meets the same attack. */
const IN_FLIGHT_MAX = 200

export const chatFlood: Attack = {
  name: 'chat-flood',
  description: '1,000 chat messages/s, each of another user, to an item with 500 viewers',
  run: async (context) => {
    const [itemId = ''] = context.itemIds
    let received = 0
    const viewers = await openSockets(context, scaled(VIEWERS, context), (socket) => {
      socket.on('data', (part: Buffer) => (received += part.length)).write(watchItemRequest(itemId))
    })
    const said = await flood(context, itemId)
    const megabytes = (received / 1e6).toFixed(1)
    return `${said}; ${countOpen(viewers)} viewers at the end, who read ${megabytes} MB`
  },
}

async function flood(context: AttackContext, itemId: string): Promise<string> {
  const answers = new Map<number, number>()
  const perInterval = scaled((LINES_PER_SECOND * INTERVAL_MS) / 1_000, context)
  let [sent, inFlight] = [0, 0]
  const sayOne = async (userId: string): Promise<void> => {
    const status = await say(context.url, itemId, userId)
    inFlight -= 1
    answers.set(status, (answers.get(status) ?? 0) + 1)
  }
  while (!context.signal.aborted) {
    for (let count = 0; count < perInterval && inFlight < IN_FLIGHT_MAX; count += 1) {
      sent += 1
      inFlight += 1
      void sayOne(`user ${sent}`)
    }
    await sleep(INTERVAL_MS)
  }
  const counted = [...answers].map(([status, count]) => `${count} × ${status}`).join(', ')
  return `${sent} messages sent, answered ${counted}`
}

/** The status; 0 for none. */
async function say(url: string, itemId: string, userId: string): Promise<number> {
  try {
    const response = await fetch(`${url}/live.v1.LiveService/SendChatMessage`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ itemId, userId, text: 'x'.repeat(400) }),
    })
    await response.arrayBuffer()
    return response.status
  } catch {
    return 0
  }
}
