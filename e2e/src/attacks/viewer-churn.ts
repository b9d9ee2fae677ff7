import { once } from 'node:events'
import { type Attack, scaled } from './attack.ts'
import { openSocket } from './raw-socket.ts'
import { watchItemRequest } from './watch-requests.ts'

/** At once; each leaves as soon as it was let in, and comes again as somebody else. */
const COMING_AND_GOING = 100
const PATIENCE_MS = 1_000

export const viewerChurn: Attack = {
  name: 'viewer-churn',
  description:
    '100 connections that watch an item, leave at the first byte and come again, as often as they can',
  run: async (context) => {
    let [came, letIn] = [0, 0]
    const comeAndGo = async (): Promise<void> => {
      while (!context.signal.aborted) {
        came += 1
        const itemId = context.itemIds[came % context.itemIds.length] ?? ''
        const socket = openSocket(context)
        socket.setTimeout(PATIENCE_MS, () => socket.destroy())
        socket.write(watchItemRequest(itemId, `churn-${came}`))
        const read = once(socket, 'data').then(() => (letIn += 1))
        await Promise.race([read, once(socket, 'close')]).catch(() => undefined)
        read.catch(() => undefined)
        socket.resetAndDestroy()
      }
    }
    await Promise.all(Array.from({ length: scaled(COMING_AND_GOING, context) }, comeAndGo))
    return `${came} came, ${letIn} were let in`
  },
}
