/** From a state and an event to the next state: the only place where a version moves, and by exactly one. */
import type { AuctionState } from './auction-state.ts'
import type { Change, Created } from './events.ts'

/** @throws when the event is not the next one of the state, which only a fault of ours can make */
export function evolve(state: AuctionState, event: Change): AuctionState {
  const version = state.version + 1n
  if (event.version !== version) {
    const { itemId } = state
    throw new Error(`event ${event.version} of item ${itemId} after version ${state.version}`)
  }
  switch (event.type) {
    case 'opened':
      return { ...state, version, status: 'active' }
    case 'bid_placed':
      return {
        ...state,
        version,
        endAtMs: event.endAtMs,
        extensionCount: state.extensionCount + (event.extended ? 1 : 0),
        currentHighestBid: event.amount,
        highestBidderId: event.userId,
        sequence: event.sequence,
      }
    case 'edited':
      return { ...state, version }
    case 'extended':
      return { ...state, version, endAtMs: event.endAtMs, originalEndAtMs: event.endAtMs }
    case 'cancelled':
      return { ...state, version, status: 'cancelled' }
    case 'ended':
      break
  }
  const { outcome, endAtMs } = event
  return { ...state, version, status: 'ended', outcome, endAtMs }
}

/** The state that a creation makes. */
export function created({ terms, version, atMs }: Created): AuctionState {
  return {
    ...terms,
    status: terms.startAtMs <= atMs ? 'active' : 'scheduled',
    originalEndAtMs: terms.endAtMs,
    extensionCount: 0,
    currentHighestBid: 0n,
    highestBidderId: '',
    sequence: 0n,
    outcome: null,
    version,
  }
}
