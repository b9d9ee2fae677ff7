/**
 * How long an accepted bid takes to show in the statistics, as a reader sees it: GetUserStats is asked
 * again and again for a user who made only this bid, until it says so.
 */
import { setTimeout as sleep } from 'node:timers/promises'
import { type HttpConnection, openHttpConnection } from '../load/http-connection.ts'
import { percentile } from '../report/percentile.ts'

const getUserStatsPath = '/userstats.v1.UserStatsService/GetUserStats'

/** Between two reads: what the answer may be too high by. Shorter would slow what it measures. */
const pollMs = 2

/** A bid that is not to be seen after this never will be. */
const visibleLimitMs = 20_000

export type Freshness = {
  samples: number
  /** Accepted, but not seen within 20 s. */
  unseen: number
  /**
   * From the decision under the item's lock, before the commit: above what is asked for by the commit itself.
   */
  fromDecision: { p50Ms: number; p99Ms: number }
  /** From the acknowledgement at the client: below what is asked for by the way of the answer. */
  fromAnswer: { p50Ms: number; p99Ms: number }
}

export type FreshnessProbe = {
  /**
   * Follows a user's only bid, whose answer has just come.
   *
   * @param createdAt when it was decided, by the database's clock @param requestedMs of `performance.now()`
   */
  watch: (userId: string, createdAt: string, requestedMs: number) => void
  /** Waits for every watched bid and sums up. */
  finish: () => Promise<Freshness>
}

export function createFreshnessProbe(statsUrl: string): FreshnessProbe {
  const free: ((path: string, body: string) => Promise<string>)[] = []
  const connections: HttpConnection[] = []
  const watching: Promise<void>[] = []
  const fromAnswerMs: number[] = []
  const fromDecisionMs: number[] = []
  let unseen = 0

  async function follow(userId: string, decidedMs: number, answeredMs: number): Promise<void> {
    const call = free.pop() ?? openCall(statsUrl, connections)
    while (performance.now() - answeredMs < visibleLimitMs) {
      const body = await call(getUserStatsPath, `{"userId":"${userId}"}`)
      // Zeros are left out of JSON.
      if (body.includes('"totalBids"')) {
        const seenMs = performance.now()
        fromAnswerMs.push(seenMs - answeredMs)
        fromDecisionMs.push(seenMs - decidedMs)
        free.push(call)
        return
      }
      await sleep(pollMs)
    }
    unseen += 1
    free.push(call)
  }

  return {
    watch(userId, createdAt, requestedMs) {
      const answeredMs = performance.now()
      const decidedMs = answeredMs - (Date.now() - Date.parse(createdAt))
      // Another machine's clock may be off, but not by more than the bid was under way.
      const clampedMs = Math.min(Math.max(decidedMs, requestedMs), answeredMs)
      watching.push(follow(userId, clampedMs, answeredMs))
    },
    async finish() {
      await Promise.all(watching)
      for (const connection of connections) connection.close()
      return {
        samples: fromAnswerMs.length,
        unseen,
        fromDecision: summary(fromDecisionMs),
        fromAnswer: summary(fromAnswerMs),
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
