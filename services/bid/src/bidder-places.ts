/**
 * Bids of one bidder that wait to be decided, in all lanes of a process: few enough that nobody fills a lane for the others. (A lane
 * takes 4,096; whoever has more than one bid under way is a program, and one that waits for its answers needs few.)
 */
import { LaneFullError } from './lane-entry.ts'

export const PLACES_MAX = 128

export type BidderPlaces = {
  /** Runs it in a place of the bidder's; throws {@link LaneFullError} when they have none left. */
  run: <Outcome>(userId: string, decide: () => Promise<Outcome>) => Promise<Outcome>
}

export function createBidderPlaces(): BidderPlaces {
  const taken = new Map<string, number>()
  return {
    async run(userId, decide) {
      const count = taken.get(userId) ?? 0
      if (count >= PLACES_MAX) throw new LaneFullError(`${count} bids of this bidder are waiting`)
      taken.set(userId, count + 1)
      try {
        return await decide()
      } finally {
        const left = (taken.get(userId) ?? 1) - 1
        if (left > 0) taken.set(userId, left)
        else taken.delete(userId)
      }
    },
  }
}
