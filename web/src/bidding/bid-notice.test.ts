import { BidRejectionReason as Reason } from '@bidmesh/gen/bids/v1/bid_service_pb.ts'
import { describe, expect, it } from 'vitest'
import type { Attempt } from './bid-attempt.ts'
import { bidNotice, type Standing } from './bid-notice.ts'
import { formatMoney } from '../ui/money.ts'

const item = {
  currency: 'EUR',
  currentHighestBid: 20_000n,
  highestBidderId: 'bob',
  minimumNextBid: 20_250n,
}
const led = { ...item, highestBidderId: 'me' }
const sent = { amount: 15_000n, key: 'key' }

function notice(standing: Partial<Standing>) {
  return bidNotice({ item, userId: 'me', mine: undefined, attempt: undefined, ...standing })
}

function rejected(reason: Reason, minimumNextBid = 0n): Attempt {
  return { ...sent, phase: 'rejected', reason, minimumNextBid, words: 'In other words.' }
}

describe('bidNotice', () => {
  it('has nothing to say to somebody who has not bid', () => {
    expect(notice({})).toBeUndefined()
  })

  it('says that a bid is on its way before it claims anything', () => {
    const busy = notice({ item: led, attempt: { ...sent, phase: 'placing' } })
    expect(busy?.tone).toBe('busy')
    expect(busy?.title).toContain(formatMoney(15_000n, 'EUR'))
  })

  it('says that a bid leads, and that it has been outbid since', () => {
    const attempt: Attempt = { ...sent, phase: 'accepted' }
    expect(notice({ item: led, mine: 20_000n, attempt })?.tone).toBe('good')
    const outbid = notice({ mine: 15_000n, attempt })
    expect(outbid).toMatchObject({ tone: 'outbid', offer: 20_250n })
    expect(outbid?.text).toContain('bob')
  })

  it('tells who is outbid without an attempt of this page', () => {
    expect(notice({ mine: 15_000n })?.tone).toBe('outbid')
    expect(notice({ item: led, mine: 20_000n })?.tone).toBe('good')
  })

  it('offers the higher of what the rejection and the stream say', () => {
    expect(notice({ attempt: rejected(Reason.TOO_LOW, 19_000n) })?.offer).toBe(20_250n)
    expect(notice({ attempt: rejected(Reason.TOO_LOW, 22_000n) })?.offer).toBe(22_000n)
  })

  it('does not bother the leader with an old rejection', () => {
    expect(notice({ item: led, attempt: rejected(Reason.TOO_LOW) })?.tone).toBe('good')
  })

  it.each([Reason.OWN_ITEM, Reason.NOT_STARTED, Reason.ENDED, Reason.CANCELLED, Reason.KEY_REUSED])(
    'explains rejection %i without offering anything',
    (reason) => {
      const told = notice({ attempt: rejected(reason) })
      expect(told?.tone).toBe('bad')
      expect(told?.text).not.toBe('In other words.')
      expect(told).not.toHaveProperty('offer')
    },
  )

  it('passes on what it has no words for', () => {
    expect(notice({ attempt: rejected(Reason.INVALID_REQUEST) })?.text).toBe('In other words.')
  })

  it.each(['undecided', 'unknown'] as const)('lets a bid that is %s be tried again', (phase) => {
    expect(notice({ attempt: { ...sent, phase } })).toMatchObject({ tone: 'bad', retry: true })
  })
})
