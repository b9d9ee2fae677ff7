/**
 * Which cards Browse shows, and in which order, as items end, come and move. Pure: what is known goes in, what
 * to show comes out, and nothing moves while somebody has a finger or the focus on a card.
 */
import { timestampMs } from '@bufbuild/protobuf/wkt'
import { type Item, ItemStatus } from '@bidmesh/gen/bids/v1/bid_service_pb.ts'
import type { Order } from './browse-filter.ts'
import { endMs } from '../item/item-view.ts'

/** How long a card that has no place here any more stays, for its result to be read. */
export const LEAVE_MS = 5_000

/** What is kept from one look to the next. */
export type BrowseList = {
  /** What the list is of: another filter is another list. */
  key: string
  /** Shown, in order. */
  order: readonly string[]
  /** Since when (ms) a card does not belong here any more. */
  leaving: ReadonlyMap<string, number>
  /** Found after the list was asked for, and let in. */
  admitted: readonly Item[]
  /** Found, and waiting to be let in. */
  fresh: readonly Item[]
}

export type BrowseInput = {
  key: string
  /** The pages there are, in their order. */
  loaded: readonly Item[]
  /** Each item as last heard of, where that is newer. */
  newest: ReadonlyMap<string, Item>
  /** There are further pages. */
  hasMore: boolean
  /** The first of the list, asked for just now; undefined while it never was. */
  polled: readonly Item[] | undefined
  /** Of the filter; `UNSPECIFIED`: any. */
  status: ItemStatus
  sort: Order
  /** Nobody is about to tap a card. */
  calm: boolean
  /** The list is in sight from its top, and nobody has gone further down. */
  atTop: boolean
  /** By the server's clock. */
  nowMs: number
}

export const emptyList: BrowseList = {
  key: '',
  order: [],
  leaving: new Map(),
  admitted: [],
  fresh: [],
}

/** The list after another look; the same one when nothing of it has changed. */
export function followList(before: BrowseList, input: BrowseInput): BrowseList {
  const isSame = before.key === input.key
  const list = isSame ? before : { ...emptyList, key: input.key }
  const found = arrivals(list, input)
  const lets = input.calm && input.atTop && found.length > 0
  const admitted = lets ? [...list.admitted, ...found] : list.admitted
  const fresh = lets ? [] : found
  const known = distinct([...input.loaded, ...admitted])
  const items = known.map((item) => input.newest.get(item.id) ?? item)
  const leaving = leavingOf(items, list.leaving, input)
  const staying = items.filter(({ id }) => {
    const sinceMs = leaving.get(id)
    return sinceMs === undefined || input.nowMs - sinceMs < LEAVE_MS
  })
  const target = arranged(staying, input, admitted).map(({ id }) => id)
  const order = isSame && !input.calm ? held(list.order, target, items) : target
  const next = { key: input.key, order, leaving, admitted, fresh }
  return isAlike(before, next) ? before : next
}

/** Everything that waits is let in: somebody asked for it. */
export function letIn(list: BrowseList): BrowseList {
  return { ...list, admitted: [...list.admitted, ...list.fresh], fresh: [] }
}

/** What was found that has its place among what is shown; what is further down comes by paging. */
function arrivals({ admitted }: BrowseList, input: BrowseInput): readonly Item[] {
  const { loaded, polled = [], hasMore, sort, nowMs } = input
  const known = new Set([...loaded, ...admitted].map(({ id }) => id))
  const last = loaded.at(-1)
  return polled.filter((item) => {
    if (known.has(item.id) || !belongs(item, input, nowMs)) return false
    return !hasMore || last === undefined || compare(item, last, sort) < 0
  })
}

function belongs(item: Item, { status }: BrowseInput, nowMs: number): boolean {
  if (status === ItemStatus.UNSPECIFIED) return true
  if (status === ItemStatus.ACTIVE && endMs(item) <= nowMs) return false
  return item.status === status
}

/** Without a stream nobody says that an item has ended: the clock does, and that it is not found any more. */
function leavingOf(
  items: readonly Item[],
  before: ReadonlyMap<string, number>,
  input: BrowseInput,
): ReadonlyMap<string, number> {
  const { status, polled, nowMs } = input
  const found = polled && new Set(polled.map(({ id }) => id))
  const leaving = new Map<string, number>()
  for (const item of items) {
    const isOther = status !== ItemStatus.UNSPECIFIED && item.status !== status
    const isOver =
      status === ItemStatus.ACTIVE && endMs(item) < nowMs && found?.has(item.id) === false
    if (isOther || isOver) leaving.set(item.id, before.get(item.id) ?? nowMs)
  }
  return leaving
}

/**
 * By end, which extensions move, and by age items have one place. Prices move with every bid: there the pages
 * stay as they came, or nothing would ever stand still, and newcomers are put where they belong.
 */
function arranged(
  items: readonly Item[],
  { sort }: BrowseInput,
  admitted: readonly Item[],
): readonly Item[] {
  if (sort === 'ending' || sort === 'newest') return items.toSorted((a, b) => compare(a, b, sort))
  const late = new Set(admitted.map(({ id }) => id))
  const placed = items.filter(({ id }) => !late.has(id))
  for (const item of items.filter(({ id }) => late.has(id))) {
    const at = placed.findIndex((other) => compare(item, other, sort) < 0)
    placed.splice(at === -1 ? placed.length : at, 0, item)
  }
  return placed
}

/** As it was, with what further pages have brought at its end. */
function held(
  order: readonly string[],
  target: readonly string[],
  items: readonly Item[],
): readonly string[] {
  const there = new Set(items.map(({ id }) => id))
  const shown = new Set(order)
  return [...order.filter((id) => there.has(id)), ...target.filter((id) => !shown.has(id))]
}

const comparisons = {
  ending: (a, b) => endMs(a) - endMs(b),
  newest: (a, b) => createdMs(b) - createdMs(a),
  cheap: (a, b) => signOf(priceOf(a) - priceOf(b)),
  dear: (a, b) => signOf(priceOf(b) - priceOf(a)),
} as const satisfies Record<Order, (a: Item, b: Item) => number>

function compare(a: Item, b: Item, sort: Order): number {
  const byId = a.id < b.id ? -1 : 1
  return comparisons[sort](a, b) || (sort === 'newest' ? -byId : byId)
}

function createdMs({ createdAt }: Item): number {
  return createdAt ? timestampMs(createdAt) : 0
}

function priceOf({ currentHighestBid, startPrice }: Item): bigint {
  return currentHighestBid || startPrice
}

function signOf(difference: bigint): number {
  return difference < 0n ? -1 : difference > 0n ? 1 : 0
}

/** An item that moved between pages while they were asked for comes twice: the first one stays. */
function distinct(items: readonly Item[]): readonly Item[] {
  const seen = new Set<string>()
  return items.filter(({ id }) => !seen.has(id) && seen.add(id))
}

function isAlike(a: BrowseList, b: BrowseList): boolean {
  const ids = (items: readonly Item[]) => items.map(({ id }) => id).join(' ')
  return (
    a.key === b.key &&
    a.order.join(' ') === b.order.join(' ') &&
    [...a.leaving.keys()].join(' ') === [...b.leaving.keys()].join(' ') &&
    ids(a.admitted) === ids(b.admitted) &&
    ids(a.fresh) === ids(b.fresh)
  )
}
