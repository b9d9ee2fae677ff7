/** Lets so many works be under way at once; others wait in line, and one too many is refused. */
import { Code, ConnectError } from '@connectrpc/connect'

export type Gate = <T>(work: () => Promise<T>) => Promise<T>

export function createGate(atOnce: number, waitingMax: number): Gate {
  const waiting: (() => void)[] = []
  let running = 0
  return async (work) => {
    if (running >= atOnce) {
      if (waiting.length >= waitingMax) {
        const message = 'too many ask for lists at this moment: try again shortly'
        throw new ConnectError(message, Code.ResourceExhausted)
      }
      // The place of whoever is done.
      await new Promise<void>((resolve) => void waiting.push(resolve))
    } else running += 1
    try {
      return await work()
    } finally {
      const next = waiting.shift()
      if (next) next()
      else running -= 1
    }
  }
}
