/**
 * The baseline as a process: the server every service has, with the same interceptors, and PlaceBid by
 * `baseline-bids.ts` on a pool. The pool's size is set by a message from the bench, which looks for the
 * best one without starting anew.
 */
import { minimumNextBid } from '@bidmesh/auction/decide.ts'
import { timestampFromMs } from '@bufbuild/protobuf/wkt'
import { explainRejection } from '@bidmesh/bid/explain-rejection.ts'
import { BidService, type PlaceBidRequest } from '@bidmesh/gen/bids/v1/bid_service_pb.ts'
import {
  authShape,
  postgresUrl,
  processShape,
  readConfig,
} from '@bidmesh/platform/process/config.ts'
import type { Component } from '@bidmesh/platform/process/component.ts'
import { runProcess } from '@bidmesh/platform/process/run-process.ts'
import { openSession, type Session } from '@bidmesh/platform/postgres/session.ts'
import { placeBidAlone } from './baseline-bids.ts'

/** Sent by the bench, and answered, between loads. */
export type BaselineSettings = {
  /** Connections. */
  poolSize: number
  /** Two round trips per bid; false: one per statement. */
  pipelined: boolean
}

/** Longest wait for a row lock, above anything 32 waiting connections can cause. */
const lockTimeoutMs = 10_000

type SessionPool = {
  use: <T>(work: (session: Session) => Promise<T>) => Promise<T>
  resize: (size: number) => void
  close: () => Promise<void>
}

/** Requests that find no free connection wait in order of arrival: at most one per bidder. */
function createSessionPool(url: string): SessionPool {
  const sessions: Session[] = []
  let free: Session[] = []
  let waiting: ((session: Session) => void)[] = []

  return {
    async use(work) {
      const session = free.pop() ?? (await new Promise<Session>((take) => waiting.push(take)))
      try {
        return await work(session)
      } finally {
        const next = waiting.shift()
        if (next) next(session)
        else free.push(session)
      }
    },
    /** Only between loads, when nothing waits. */
    resize(size) {
      while (sessions.length < size) {
        sessions.push(openSession(url, { applicationName: 'bench-baseline', lockTimeoutMs }))
      }
      free = sessions.slice(0, size)
      waiting = []
    },
    async close() {
      await Promise.all(sessions.map((session) => session.close()))
    },
  }
}

async function placeBid(
  pool: SessionPool,
  { itemId, userId, amount }: PlaceBidRequest,
  pipelined: boolean,
) {
  const { bid, state, extended } = await pool.use((session) =>
    placeBidAlone(session, { itemId, userId, amount }, pipelined),
  )
  return {
    bid: { ...bid, createdAt: timestampFromMs(bid.createdAtMs) },
    currentHighestBid: state.currentHighestBid,
    minimumNextBid: minimumNextBid(state),
    endAt: timestampFromMs(state.endAtMs),
    extended,
  }
}

function startBaseline(url: string): Component {
  const pool = createSessionPool(url)
  pool.resize(1)
  let pipelined = true
  process.on('message', (message: BaselineSettings) => {
    pipelined = message.pipelined
    pool.resize(message.poolSize)
    process.send?.('set')
  })
  return {
    name: 'baseline',
    services: [BidService],
    routes: (router) =>
      router.service(BidService, { placeBid: (request) => placeBid(pool, request, pipelined) }),
    explainError: explainRejection,
    check: () => Promise.resolve(),
    stop: () => pool.close(),
  }
}

await runProcess({
  name: 'baseline',
  config: () => readConfig({ ...processShape, ...authShape(), DATABASE_URL: postgresUrl() }),
  start: (config) => Promise.resolve([startBaseline(config.DATABASE_URL)]),
})
