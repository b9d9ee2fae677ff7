/** Small phrases of the item page. */
import { durationMs } from '@bufbuild/protobuf/wkt'
import type { SoftClose } from '@bidmesh/gen/bids/v1/bid_service_pb.ts'
import { formatMoment, formatTime } from './time.ts'

/** "no bids", "one bid", "12 bids". */
export function countBids(count: bigint): string {
  if (count === 0n) return 'no bids'
  return count === 1n ? 'one bid' : `${count} bids`
}

/** "once", "twice", "3 times". */
export function times(count: number): string {
  return count === 1 ? 'once' : count === 2 ? 'twice' : `${count} times`
}

/** A short span: "30 s", "2 min", "1 min 30 s". */
export function formatSpan(ms: number): string {
  const seconds = Math.round(ms / 1_000)
  const minutes = Math.floor(seconds / 60)
  const rest = seconds % 60
  if (minutes === 0) return `${rest} s`
  return rest === 0 ? `${minutes} min` : `${minutes} min ${rest} s`
}

/** The rule against last-second bids, in words; undefined when the item has none. */
export function softCloseWords(softClose: SoftClose | undefined): string | undefined {
  if (!softClose?.window || !softClose.extension || !softClose.maxExtensions) return undefined
  const window = formatSpan(durationMs(softClose.window))
  const extension = formatSpan(durationMs(softClose.extension))
  return `A bid in the last ${window} extends the auction by ${extension}, up to ${times(softClose.maxExtensions)}.`
}

/** For a list of what happened: the time alone for what was today. */
export function formatWhen(ms: number, nowMs: number): string {
  const sameDay = new Date(ms).toDateString() === new Date(nowMs).toDateString()
  return sameDay ? formatTime(ms) : formatMoment(ms)
}
