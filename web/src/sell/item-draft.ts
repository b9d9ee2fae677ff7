/**
 * What is being typed into the form of an item, and the requests it amounts to. Pure. Everything is text as it
 * stands in its field; what cannot be read as what it is meant to be is a fault of that field.
 */
import { create } from '@bufbuild/protobuf'
import { type Duration, DurationSchema, timestampFromMs } from '@bufbuild/protobuf/wkt'
import {
  type CreateItemRequest,
  CreateItemRequestSchema,
  type Item,
  ItemStatus,
  SoftClose_Mode,
  type UpdateItemRequest,
  UpdateItemRequestSchema,
} from '@bidmesh/gen/bids/v1/bid_service_pb.ts'
import { formatMoney, fractionDigits } from '../ui/money.ts'
import { readingProblem, readMoney } from '../ui/money-text.ts'
import { fromField } from './wall-time.ts'

/** What of an item can be changed after it was put up. */
export type Description = {
  title: string
  description: string
  category: string
  /** A line each; empty ones do not count. */
  images: readonly string[]
}

export type ItemDraft = Description & {
  currency: string
  startPrice: string
  /** Empty: by price. */
  minIncrement: string
  /** As wall-time.ts has it; empty: at once. */
  startAt: string
  endAt: string
  softClose: boolean
  mode: 'add' | 'reset'
  /** Seconds. */
  window: string
  /** Of mode `add`. */
  extension: string
  maxExtensions: string
  /** Minutes, of mode `reset`; empty: without limit. */
  maxTotal: string
}

/** Field to what is wrong with it; a picture is `images[2]` by its line. */
export type Faults = ReadonlyMap<string, string>

/** The services take pictures up to this many. */
export const IMAGES_MAX = 10

/** Of the services too: a year, and a day for leap years. */
const LONGEST_MS = 366 * 24 * 3_600_000
/** A start chosen as "now" has passed by the time the form is sent. */
const START_SLACK_MS = 60_000

export const emptyDraft: ItemDraft = {
  title: '',
  description: '',
  category: '',
  images: [''],
  currency: 'EUR',
  startPrice: '',
  minIncrement: '',
  startAt: '',
  endAt: '',
  softClose: true,
  mode: 'add',
  window: '30',
  extension: '30',
  maxExtensions: '5',
  maxTotal: '',
}

/** Lines with a picture, with where each stands in the form. */
function pictures(images: readonly string[]) {
  const lines = images.map((url, line) => ({ url: url.trim(), line }))
  return lines.filter(({ url }) => url !== '')
}

/** The faults of a request's pictures, with each at the line of the form that the picture came from. */
export function onLines(faults: Faults, images: readonly string[]): Faults {
  const lines = pictures(images)
  const moved = [...faults].map(([field, words]) => {
    const [, index] = /^images\[(\d+)\]$/.exec(field) ?? []
    const line = index === undefined ? undefined : lines[Number(index)]?.line
    return [line === undefined ? field : `images[${line}]`, words] as const
  })
  return new Map(moved)
}

/** Can be changed still: not ended, and not taken back. */
export function isOpen({ status }: Pick<Item, 'status'>): boolean {
  return status === ItemStatus.ACTIVE || status === ItemStatus.SCHEDULED
}

function describe({ title, description, category, images }: Description) {
  return {
    title: title.trim(),
    description: description.trim(),
    category: category.trim(),
    images: pictures(images).map(({ url }) => url),
  }
}

/** The request, and what is wrong with the draft that no rule of the request can know. */
export function createRequest(
  draft: ItemDraft,
  sellerId: string,
  nowMs: number,
  idempotencyKey: string,
): { request: CreateItemRequest; faults: Faults } {
  const faults = new Map<string, string>()
  const { currency } = draft
  const startPrice = amount('startPrice', draft.startPrice, currency, faults)
  const minIncrement =
    draft.minIncrement.trim() === ''
      ? 0n
      : amount('minIncrement', draft.minIncrement, currency, faults)
  const startAtMs = fromField(draft.startAt)
  const endAtMs = fromField(draft.endAt)
  const request = create(CreateItemRequestSchema, {
    ...describe(draft),
    sellerId,
    idempotencyKey,
    currency,
    startPrice,
    minIncrement,
    softClose: softCloseOf(draft, faults),
    ...(startAtMs !== undefined && { startAt: timestampFromMs(startAtMs) }),
    ...(endAtMs !== undefined && { endAt: timestampFromMs(endAtMs) }),
  })
  checkTimes(startAtMs, endAtMs, nowMs, faults)
  return { request, faults }
}

function amount(field: string, text: string, currency: string, faults: Map<string, string>) {
  const read = readMoney(text, currency)
  if (read.kind !== 'amount') {
    const example = 25n * 10n ** BigInt(fractionDigits(currency))
    faults.set(field, readingProblem(text, read.kind, currency, example))
    return 0n
  }
  if (read.minor === 0n) faults.set(field, `Must be at least ${formatMoney(1n, currency)}.`)
  return read.minor
}

function softCloseOf(draft: ItemDraft, faults: Map<string, string>) {
  if (!draft.softClose) return { maxExtensions: 0 }
  const window = whole('softClose.window', draft.window, faults)
  if (draft.mode === 'reset') {
    const hasTotal = draft.maxTotal.trim() !== ''
    const minutes = hasTotal ? whole('softClose.maxTotal', draft.maxTotal, faults) : 0
    const maxTotal = hasTotal && { maxTotal: seconds(60 * minutes) }
    return { mode: SoftClose_Mode.RESET, window: seconds(window), ...maxTotal }
  }
  const extension = whole('softClose.extension', draft.extension, faults)
  if (extension < window && !faults.has('softClose.extension')) {
    faults.set('softClose.extension', 'No shorter than the time it counts from.')
  }
  return {
    window: seconds(window),
    extension: seconds(extension),
    maxExtensions: whole('softClose.maxExtensions', draft.maxExtensions, faults),
  }
}

function seconds(value: number): Duration {
  return create(DurationSchema, { seconds: BigInt(value) })
}

/** Nine digits fit every field that counts; the rules of the request know the real limits. */
function whole(field: string, text: string, faults: Map<string, string>): number {
  if (/^\s*\d{1,9}\s*$/.test(text)) return Number(text)
  faults.set(field, 'Enter a whole number.')
  return 0
}

function checkTimes(
  startAtMs: number | undefined,
  endAtMs: number | undefined,
  nowMs: number,
  faults: Map<string, string>,
): void {
  if (startAtMs !== undefined && startAtMs < nowMs - START_SLACK_MS) {
    faults.set('startAt', 'This is in the past. Leave it empty to start now.')
  }
  if (endAtMs === undefined) return
  if (endAtMs <= nowMs) faults.set('endAt', 'The end must be in the future.')
  else if (startAtMs !== undefined && endAtMs <= startAtMs) {
    faults.set('endAt', 'The end must be after the start.')
  } else if (endAtMs - Math.max(startAtMs ?? nowMs, nowMs) > LONGEST_MS) {
    faults.set('endAt', 'An auction lasts a year at most.')
  }
}

export function descriptionOf(item: Item): Description {
  const { title, description, category, images } = item
  return { title, description, category, images: images.length === 0 ? [''] : images }
}

/** Asks only for what differs from the item; `changed` is false when nothing does. */
export function updateRequest(
  item: Item,
  draft: Description,
  userId: string,
): { request: UpdateItemRequest; changed: boolean } {
  const { title, description, category, images } = describe(draft)
  const sameImages =
    images.length === item.images.length && images.every((url, at) => url === item.images[at])
  const changes = {
    ...(title !== item.title && { title }),
    ...(description !== item.description && { description }),
    ...(category !== item.category && { category }),
    ...(!sameImages && { images }),
  }
  const paths = Object.keys(changes)
  // Named, so that what is empty is cleared.
  const updateMask = { paths }
  const request = create(UpdateItemRequestSchema, { id: item.id, userId, ...changes, updateMask })
  return { request, changed: paths.length > 0 }
}
