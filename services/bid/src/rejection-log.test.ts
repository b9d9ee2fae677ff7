import { expect, it } from 'vitest'
import type { RejectedCommand } from './metrics.ts'
import { logRejections } from './rejection-log.ts'

const silent = { accepted: () => undefined, batch: () => undefined, transaction: () => undefined }
const bid = { command: 'place_bid', itemId: 'lamp', early: false } as const

function started() {
  const counted: RejectedCommand[] = []
  const lines: object[] = []
  const clock = { ms: 0 }
  const metrics = logRejections(
    { ...silent, rejected: (each) => void counted.push(each) },
    { info: (fields) => void lines.push(fields) },
    () => clock.ms,
  )
  return { metrics, counted, lines, clock }
}

it('counts every rejection, and logs a few of each reason and second', () => {
  const { metrics, counted, lines, clock } = started()
  for (let n = 0; n < 1_000; n += 1) metrics.rejected({ ...bid, reason: 'too_low' })
  metrics.rejected({ ...bid, reason: 'ended' })
  expect(counted).toHaveLength(1_001)
  expect(lines).toHaveLength(6)
  expect(lines.at(-1)).toEqual({
    event: 'bid_rejected',
    reason: 'ended',
    itemId: 'lamp',
    early: false,
    suppressed: 0,
  })
  clock.ms = 1_000
  metrics.rejected({ ...bid, reason: 'too_low' })
  metrics.rejected({ ...bid, reason: 'too_low' })
  expect(lines.slice(6)).toMatchObject([{ suppressed: 995 }, { suppressed: 0 }])
})

it('names commands that are no bids', () => {
  const { metrics, lines } = started()
  metrics.rejected({ command: 'cancel', itemId: 'lamp', reason: 'has_bids', early: false })
  expect(lines).toMatchObject([{ event: 'change_rejected', command: 'cancel', reason: 'has_bids' }])
})
