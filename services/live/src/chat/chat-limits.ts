/**
 * How fast a chat may go: of one person what somebody types, of one item what can still be read. Counted by
 * each process for itself, so that with several replicas as much may come through each.
 */
import { Code, ConnectError } from '@connectrpc/connect'

/** Of one person on one item: a few messages at once, then one a second. */
const PERSON: Rate = { burst: 5, perSecond: 1 }
/** On one item: nobody can read more. */
const ITEM: Rate = { burst: 30, perSecond: 10 }
/** Counts kept, at about 150 bytes: 8 MB. Beyond, those that were least recently used start anew. */
const KEYS_MAX = 50_000

export type Rate = { burst: number; perSecond: number }

/** Takes one message into account, or throws RESOURCE_EXHAUSTED with the seconds to wait for. */
export type TakeMessage = (itemId: string, userId: string) => void

export function createChatLimits(now: () => number = () => performance.now()): TakeMessage {
  const persons = createMeter(PERSON, KEYS_MAX, now)
  const items = createMeter(ITEM, KEYS_MAX, now)
  return (itemId, userId) => {
    refuseIfAny(persons(`${itemId} ${userId}`), 'you write faster than others can read')
    refuseIfAny(items(itemId), 'too many write at this moment')
  }
}

function refuseIfAny(waitMs: number, reason: string): void {
  if (waitMs <= 0) return
  const seconds = String(Math.ceil(waitMs / 1_000))
  const message = `${reason}: send it again in ${seconds} s`
  throw new ConnectError(message, Code.ResourceExhausted, { 'retry-after': seconds })
}

/**
 * Says how many ms too early one more comes for a key; 0 takes it into account. A key is kept as the moment at
 * which all of its burst is there again (GCRA, the leaky bucket of ITU-T I.371).
 */
export function createMeter(
  { burst, perSecond }: Rate,
  keysMax: number,
  now: () => number,
): (key: string) => number {
  const intervalMs = 1_000 / perSecond
  /** In the order of use. */
  const fullAtMs = new Map<string, number>()
  return (key) => {
    const nowMs = now()
    const fullMs = Math.max(fullAtMs.get(key) ?? 0, nowMs) + intervalMs
    const waitMs = fullMs - nowMs - burst * intervalMs
    if (waitMs > 0) return waitMs
    fullAtMs.delete(key)
    fullAtMs.set(key, fullMs)
    for (const [oldest, atMs] of fullAtMs) {
      if (atMs > nowMs && fullAtMs.size <= keysMax) break
      fullAtMs.delete(oldest)
    }
    return 0
  }
}
