/** What Browse shows, to and from the address of the page, so that links and the back button work. Pure. */
import {
  ItemStatus,
  ListItemsRequest_OrderBy as OrderBy,
} from '@bidmesh/gen/bids/v1/bid_service_pb.ts'
import { currencies } from '../ui/money.ts'

export const statuses = {
  open: { label: 'Open', status: ItemStatus.ACTIVE },
  scheduled: { label: 'Upcoming', status: ItemStatus.SCHEDULED },
  ended: { label: 'Ended', status: ItemStatus.ENDED },
  all: { label: 'All', status: ItemStatus.UNSPECIFIED },
} as const

export const orders = {
  ending: { label: 'Ending soon', orderBy: OrderBy.ENDING_SOON },
  newest: { label: 'Newest', orderBy: OrderBy.NEWEST },
  cheap: { label: 'Lowest price', orderBy: OrderBy.PRICE_ASC },
  dear: { label: 'Highest price', orderBy: OrderBy.PRICE_DESC },
} as const

export type Status = keyof typeof statuses
export type Order = keyof typeof orders

export type BrowseFilter = {
  query: string
  category: string
  /** ISO 4217; empty: any. Prices are in order within one only. */
  currency: string
  status: Status
  order: Order
}

/** As the services have them: longer ones would be refused. */
export const QUERY_MAX_LENGTH = 200
const CATEGORY_MAX_LENGTH = 64

/** What has ended can end no sooner: there the newest come first. */
export function ordersOf(status: Status): readonly Order[] {
  const all = Object.keys(orders).filter(isOrder)
  return status === 'open' || status === 'scheduled'
    ? all
    : all.filter((order) => order !== 'ending')
}

function defaultOrder(status: Status): Order {
  return ordersOf(status)[0] ?? 'newest'
}

/** Whatever an address says that nobody can choose is taken for the default. */
export function readFilter(params: URLSearchParams): BrowseFilter {
  const status = params.get('status') ?? ''
  const order = params.get('order') ?? ''
  const currency = params.get('currency') ?? ''
  return filterOf({
    query: (params.get('q') ?? '').trim().slice(0, QUERY_MAX_LENGTH),
    category: (params.get('category') ?? '').slice(0, CATEGORY_MAX_LENGTH),
    currency: currencies.find((each) => each === currency) ?? '',
    status: isStatus(status) ? status : 'open',
    order: isOrder(order) ? order : undefined,
  })
}

/** Only what differs from the default, so that addresses stay short. */
export function writeFilter(filter: BrowseFilter): URLSearchParams {
  const { query, category, currency, status, order } = filterOf(filter)
  const params = new URLSearchParams()
  if (query !== '') params.set('q', query)
  if (category !== '') params.set('category', category)
  if (currency !== '') params.set('currency', currency)
  if (status !== 'open') params.set('status', status)
  if (order !== defaultOrder(status)) params.set('order', order)
  return params
}

function filterOf(
  filter: Omit<BrowseFilter, 'order'> & { order: Order | undefined },
): BrowseFilter {
  const { status, order } = filter
  const offered = order !== undefined && ordersOf(status).includes(order)
  return { ...filter, order: offered ? order : defaultOrder(status) }
}

/** The filter with another status; the order goes with it unless one was chosen that still makes sense. */
export function withStatus(filter: BrowseFilter, status: Status): BrowseFilter {
  const chosen = filter.order === defaultOrder(filter.status) ? undefined : filter.order
  return filterOf({ ...filter, status, order: chosen })
}

export function isStatus(text: string): text is Status {
  return Object.hasOwn(statuses, text)
}

export function isOrder(text: string): text is Order {
  return Object.hasOwn(orders, text)
}
