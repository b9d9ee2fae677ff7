/**
 * Rejected commands are no events of an item: they are counted, and a sample of them is logged. A flood of them costs a
 * look into a map each (0.06 µs); how many went unsaid stands in the next line with the same reason.
 */
import type { BidMetrics, RejectedCommand } from './metrics.ts'

/** For each reason: enough to see who runs into what, little enough for any log. */
const LINES_PER_SECOND = 5

type Second = { beganMs: number; lines: number; suppressed: number }

/** @returns the metrics, which also log a sample of what they count as rejected */
export function logRejections(
  metrics: BidMetrics,
  log: { info: (fields: object, message: string) => void },
  nowMs: () => number = () => performance.now(),
): BidMetrics {
  const seconds = new Map<RejectedCommand['reason'], Second>()

  function sample({ command, reason, itemId, early }: RejectedCommand): void {
    const atMs = nowMs()
    const second = seconds.get(reason) ?? { beganMs: -Infinity, lines: 0, suppressed: 0 }
    seconds.set(reason, second)
    if (atMs - second.beganMs >= 1_000) Object.assign(second, { beganMs: atMs, lines: 0 })
    if (second.lines >= LINES_PER_SECOND) {
      second.suppressed += 1
      return
    }
    const isBid = command === 'place_bid'
    const what = isBid ? { event: 'bid_rejected' } : { event: 'change_rejected', command }
    const { suppressed } = second
    log.info(
      { ...what, reason, itemId, early, suppressed },
      isBid ? 'bid rejected' : 'change rejected',
    )
    second.lines += 1
    second.suppressed = 0
  }

  return {
    ...metrics,
    rejected(rejected) {
      metrics.rejected(rejected)
      sample(rejected)
    },
  }
}
