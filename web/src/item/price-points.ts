/** The line of a price chart: what was asked for, then the bids of the stream, up to now. */
import { timestampMs } from '@bufbuild/protobuf/wkt'
import type { Bid } from '@bidmesh/gen/bids/v1/bid_service_pb.ts'
import type { GetPriceHistoryResponse } from '@bidmesh/gen/live/v1/live_service_pb.ts'

/** Amounts are whole minor units, at most 10^15: a number holds them exactly. */
export type PricePoint = { timeMs: number; amountMinor: number; kind: 'start' | 'bid' | 'now' }

/**
 * Oldest first: the start price, a point for each bid, and the last price again at `untilMs`.
 *
 * @param bids newest first
 * @param untilMs now, or when the auction ended, by the server's clock
 */
export function pricePoints(
  history: GetPriceHistoryResponse,
  bids: readonly Bid[],
  untilMs: number,
): PricePoint[] {
  const last = history.points.at(-1)?.sequence ?? 0n
  const newer = bids.filter(({ sequence }) => sequence > last).toReversed()
  const told = history.points.map(({ time, amount }) => pointOf(time, amount))
  const points = [...told, ...newer.map(({ createdAt, amount }) => pointOf(createdAt, amount))]
  const first = pointOf(history.startAt, history.startPrice)
  const line: PricePoint[] = [{ ...first, kind: 'start' }, ...points]
  const end = line.at(-1) ?? first
  return [...line, { ...end, timeMs: Math.max(untilMs, end.timeMs), kind: 'now' }]
}

/** Whether there are bids that neither knows: many came while no stream was there. */
export function hasHole(
  history: GetPriceHistoryResponse | undefined,
  bids: readonly Bid[],
): boolean {
  if (!history) return false
  const last = history.points.at(-1)?.sequence ?? 0n
  const next = bids.findLast(({ sequence }) => sequence > last)
  return next !== undefined && next.sequence !== last + 1n
}

function pointOf(time: Bid['createdAt'], amount: bigint): PricePoint {
  return { timeMs: time ? timestampMs(time) : 0, amountMinor: Number(amount), kind: 'bid' }
}
