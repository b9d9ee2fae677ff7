/**
 * How long an accepted bid takes to show in the statistics, as a reader sees it: GetUserStats is asked
 * again and again for a user who made only this bid, until it says so.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { type HttpConnection, openHttpConnection } from './http-connection.ts'
import { percentile } from './percentile.ts'

const getUserStatsPath = '/userstats.v1.UserStatsService/GetUserStats'

/** Between two reads: what the answer may be too high by. Shorter would slow what it measures. */
const pollMs = 2

/** A bid that is not to be seen after this never will be. */
const visibleLimitMs = 20_000

export type Freshness = {
  samples: number
  /** Accepted, but not seen within 20 s. */
  unseen: number
  /** From the acknowledgement at the client: misses the way of the answer. */
  fromAnswer: { p50Ms: number; p99Ms: number }
  /** From the moment the bid was due, before its commit: an upper bound. */
  fromRequest: { p50Ms: number; p99Ms: number }
}

export type FreshnessProbe = {
  /** Follows a user's only bid. Times are of `performance.now()`. */
  watch: (userId: string, requestedMs: number, answeredMs: number) => void
  /** Waits for every watched bid and sums up. */
  finish: () => Promise<Freshness>
}

export function createFreshnessProbe(statsUrl: string): FreshnessProbe {
  const free: ((path: string, body: string) => Promise<string>)[] = []
  const connections: HttpConnection[] = []
  const watching: Promise<void>[] = []
  const fromAnswerMs: number[] = []
  const fromRequestMs: number[] = []
  let unseen = 0

  async function follow(userId: string, requestedMs: number, answeredMs: number): Promise<void> {
    const call = free.pop() ?? openCall(statsUrl, connections)
    while (performance.now() - answeredMs < visibleLimitMs) {
      const body = await call(getUserStatsPath, `{"userId":"${userId}"}`)
      // Zeros are left out of JSON.
      if (body.includes('"totalBids"')) {
        const seenMs = performance.now()
        fromAnswerMs.push(seenMs - answeredMs)
        fromRequestMs.push(seenMs - requestedMs)
        free.push(call)
        return
      }
      await sleep(pollMs)
    }
    unseen += 1
    free.push(call)
  }

  return {
    watch(...bid) {
      watching.push(follow(...bid))
    },
    async finish() {
      await Promise.all(watching)
      for (const connection of connections) connection.close()
      return {
        samples: fromAnswerMs.length,
        unseen,
        fromAnswer: summary(fromAnswerMs),
        fromRequest: summary(fromRequestMs),
      }
    },
  }
}

function summary(samplesMs: readonly number[]): { p50Ms: number; p99Ms: number } {
  return { p50Ms: percentile(samplesMs, 0.5), p99Ms: percentile(samplesMs, 0.99) }
}

/** A connection of its own as an async function. */
function openCall(
  url: string,
  connections: HttpConnection[],
): (path: string, body: string) => Promise<string> {
  let waiting = Promise.withResolvers<string>()
  const connection = openHttpConnection(url, {
    onAnswer: (status, body) => {
      if (status === 200) waiting.resolve(body)
      else waiting.reject(new Error(`GetUserStats answered ${status}: ${body}`))
    },
    onFailure: (reason) => waiting.reject(new Error(`GetUserStats: ${reason}`)),
  })
  connections.push(connection)
  return async (path, body) => {
    waiting = Promise.withResolvers<string>()
    connection.post(path, body)
    return await waiting.promise
  }
}
