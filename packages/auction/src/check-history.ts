/**
 * The invariants of one item as a function of its events: I2 (sequences 1, 2, 3 …, amounts rising, each bid one that the
 * rules accept), I3 (the state is what the events make) and I7 (versions 1, 2, 3 …).
 */
import type { AuctionState } from './auction-state.ts'
import type { Command } from './commands.ts'
import { decide } from './decide.ts'
import type { AuctionEvent, BidPlaced, Change } from './events.ts'
import { created, evolve } from './evolve.ts'

export type HistoryFault = { invariant: 'I2' | 'I3' | 'I7'; message: string }

/** @returns the state that the events make (undefined without a creation), and what is wrong with them */
export function checkHistory(history: readonly AuctionEvent[]): {
  state: AuctionState | undefined
  faults: HistoryFault[]
} {
  const [first, ...rest] = history
  if (first?.type !== 'created' || first.version !== 1n) {
    const message = `the first event is ${first ? describe(first) : 'missing'}, not a creation`
    return { state: undefined, faults: [{ invariant: 'I7', message }] }
  }
  let state = created(first)
  const faults: HistoryFault[] = []
  for (const event of rest) {
    if (event.type === 'created' || event.version !== state.version + 1n) {
      const message = `after version ${state.version} comes ${describe(event)}`
      faults.push({ invariant: 'I7', message })
      // What follows has nothing to stand on.
      break
    }
    if (event.type === 'bid_placed') faults.push(...checkBid(state, event))
    else faults.push(...checkChange(state, event))
    state = evolve(state, event)
  }
  return { state, faults }
}

function checkBid(state: AuctionState, event: BidPlaced): HistoryFault[] {
  const faults: HistoryFault[] = []
  const wrong = (message: string) => faults.push({ invariant: 'I2', message })
  if (event.sequence !== state.sequence + 1n) {
    wrong(`after sequence ${state.sequence} comes ${event.sequence}`)
  }
  if (event.amount <= state.currentHighestBid) {
    wrong(`after ${state.currentHighestBid} comes a bid of ${event.amount}`)
  }
  const bid = { kind: 'place_bid', userId: event.userId, amount: event.amount } as const
  const { events, rejection } = decide(state, bid, event.atMs)
  if (rejection) wrong(`${describe(event)} was accepted, though ${rejection}`)
  const again = events?.at(-1)
  if (again?.type === 'bid_placed' && again.endAtMs !== event.endAtMs) {
    wrong(`${describe(event)} moved the end to ${event.endAtMs}, not ${again.endAtMs}`)
  }
  return faults
}

function checkChange(state: AuctionState, event: Exclude<Change, BidPlaced>): HistoryFault[] {
  const faults: HistoryFault[] = []
  const wrong = (message: string) => faults.push({ invariant: 'I3', message })
  const over = state.status === 'ended' || state.status === 'cancelled'
  if (over) wrong(`the item is ${state.status}, and then comes ${describe(event)}`)
  if (!over && !mayHappen(state, event)) {
    wrong(`${describe(event)} is not what the rules make after ${state.sequence} bids`)
  }
  return faults
}

/** Whether some command makes this very event of the state; whoever may give one has. */
function mayHappen(state: AuctionState, event: Exclude<Change, BidPlaced>): boolean {
  const operator = { userId: '', operator: true }
  const commands: Command[] = [{ kind: 'settle' }]
  if (event.type === 'ended') commands.push({ kind: 'end_now', by: operator })
  if (event.type === 'extended') {
    const { endAtMs, reason } = event
    const seller = { userId: state.sellerId, operator: false }
    const by = event.by === 'seller' ? seller : operator
    commands.push({ kind: 'extend', by, endAtMs, reason })
  }
  if (event.type === 'edited' || event.type === 'cancelled') return true
  return commands.some((command) => {
    const [made] = decide(state, command, event.atMs).events ?? []
    return made !== undefined && isSame(made, event)
  })
}

function isSame(made: Change, event: Change): boolean {
  if (made.type === 'ended' && event.type === 'ended') {
    return made.outcome === event.outcome && made.endAtMs === event.endAtMs
  }
  return made.type === event.type
}

function describe({ type, version }: AuctionEvent): string {
  return `event ${version} (${type})`
}
