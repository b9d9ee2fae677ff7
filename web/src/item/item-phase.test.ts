import { timestampFromMs } from '@bufbuild/protobuf/wkt'
import { ItemStatus } from '@bidmesh/gen/bids/v1/bid_service_pb.ts'
import { describe, expect, it } from 'vitest'
import { phaseOf } from './item-phase.ts'

const times = { startAt: timestampFromMs(100), endAt: timestampFromMs(200) }

describe('phaseOf', () => {
  it.each([
    [ItemStatus.SCHEDULED, 99, 'scheduled'],
    // The auctioneer is late: the clock decides, as it does for the server.
    [ItemStatus.SCHEDULED, 100, 'open'],
    [ItemStatus.ACTIVE, 199, 'open'],
    [ItemStatus.ACTIVE, 200, 'closing'],
    [ItemStatus.ENDED, 150, 'ended'],
    [ItemStatus.CANCELLED, 150, 'cancelled'],
  ])('status %i at %i', (status, nowMs, phase) => {
    expect(phaseOf({ ...times, status }, nowMs)).toBe(phase)
  })
})
