/**
 * Turns at something there is little of, e.g. connections: so many places at once, the rest wait in order
 * of arrival. The queue is bounded in length and in time, and whoever leaves gives up their place at once:
 * work nobody waits for any more is never begun.
 */
import { OverloadedError, TransientError } from './errors.ts'

/** A command or query takes about 2 ms of a connection: more would wait for half a second and longer. */
const MAX_WAITING = 1_000
/** Whoever did not get a turn by then meets a database that is unavailable, or drowning. */
const MAX_WAIT_MS = 5_000

export type Turns<Place> = {
  /**
   * Runs `work` with a place of its own. Rejects, with `work` not begun, with {@link OverloadedError} when
   * too many wait already, with a TransientError when none came free in time, or with the signal's reason.
   */
  run<Result>(work: (place: Place) => Promise<Result>, signal?: AbortSignal): Promise<Result>
}

export type TurnsOptions = { maxWaiting?: number; maxWaitMs?: number }

type Waiting<Place> = (place: Place) => void

/** The place used last goes first, so that quiet times keep few of them busy. */
export function createTurns<Place>(
  places: readonly Place[],
  { maxWaiting = MAX_WAITING, maxWaitMs = MAX_WAIT_MS }: TurnsOptions = {},
): Turns<Place> {
  const free = [...places]
  // A set keeps the order of arrival and lets go of whoever leaves from its middle.
  const waiting = new Set<Waiting<Place>>()

  async function take(signal?: AbortSignal): Promise<Place> {
    signal?.throwIfAborted()
    const place = free.pop()
    if (place !== undefined) return place
    if (waiting.size >= maxWaiting) {
      throw new OverloadedError(`${waiting.size} wait for their turn already`)
    }
    return await nextFree(signal)
  }

  async function nextFree(signal?: AbortSignal): Promise<Place> {
    const { promise, resolve, reject } = Promise.withResolvers<Place>()
    // Out of the queue in the same step: a place given to somebody who has left would be lost.
    const leave = (reason: unknown) => {
      waiting.delete(resolve)
      reject(reason)
    }
    const late = () => leave(new TransientError(`no turn within ${maxWaitMs} ms`))
    const gone = () => leave(signal?.reason)
    waiting.add(resolve)
    signal?.addEventListener('abort', gone)
    const limit = setTimeout(late, maxWaitMs)
    try {
      return await promise
    } finally {
      clearTimeout(limit)
      signal?.removeEventListener('abort', gone)
    }
  }

  function giveBack(place: Place): void {
    const [first] = waiting
    if (!first) free.push(place)
    else {
      waiting.delete(first)
      first(place)
    }
  }

  return {
    async run(work, signal) {
      const place = await take(signal)
      try {
        return await work(place)
      } finally {
        giveBack(place)
      }
    },
  }
}
