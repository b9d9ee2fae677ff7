/** Small phrases of the item page. */
import { durationMs } from '@bufbuild/protobuf/wkt'
import { type SoftClose, SoftClose_Mode } from '@bidmesh/gen/bids/v1/bid_service_pb.ts'
import { formatMoment, formatTime } from '../ui/time.ts'

/** "no bids", "one bid", "12 bids". */
export function countBids(count: bigint): string {
  if (count === 0n) return 'no bids'
  return count === 1n ? 'one bid' : `${count} bids`
}

/** "once", "twice", "3 times". */
export function times(count: number): string {
  return count === 1 ? 'once' : count === 2 ? 'twice' : `${count} times`
}

/** A span: "30 s", "2 min", "1 min 30 s", "2 h", "1 h 30 min". */
export function formatSpan(ms: number): string {
  const seconds = Math.round(ms / 1_000)
  const minutes = Math.floor(seconds / 60)
  const rest = seconds % 60
  if (minutes >= 60) {
    const hours = `${Math.floor(minutes / 60)} h`
    return minutes % 60 === 0 ? hours : `${hours} ${minutes % 60} min`
  }
  if (minutes === 0) return `${rest} s`
  return rest === 0 ? `${minutes} min` : `${minutes} min ${rest} s`
}

/** The rule against last-second bids, in words; undefined when the item has none. */
export function softCloseWords(softClose: SoftClose | undefined): string | undefined {
  if (!softClose?.window) return undefined
  const { mode, maxTotal, maxExtensions = 0 } = softClose
  const window = formatSpan(durationMs(softClose.window))
  const limits = [
    ...(maxExtensions > 0 ? [`up to ${times(maxExtensions)}`] : []),
    ...(maxTotal ? [`by ${formatSpan(durationMs(maxTotal))} in all`] : []),
  ]
  const within = limits.map((limit) => `, ${limit}`).join('')
  if (mode === SoftClose_Mode.RESET) {
    return `A bid in the last ${window} leaves ${window} to answer it${within}.`
  }
  if (!softClose.extension || maxExtensions === 0) return undefined
  const extension = formatSpan(durationMs(softClose.extension))
  return `A bid in the last ${window} extends the auction by ${extension}${within}.`
}

/** For a list of what happened: the time alone for what was today. */
export function formatWhen(ms: number, nowMs: number): string {
  const sameDay = new Date(ms).toDateString() === new Date(nowMs).toDateString()
  return sameDay ? formatTime(ms) : formatMoment(ms)
}
