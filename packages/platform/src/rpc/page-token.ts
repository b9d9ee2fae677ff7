/**
 * Page tokens: where the last page ended, and which list it belongs to. A token of another list (other
 * filters, other order) is refused rather than quietly paging through the wrong one.
 */
import { createHash } from 'node:crypto'
import { Code, ConnectError } from '@connectrpc/connect'

export const DEFAULT_PAGE_SIZE = 20

/** The keyset position: the sort values of the last row shown, as strings. */
export type Position = readonly string[]

/**
 * Whether a text is a value of a kind. Anybody can make a token, so a look alike is not enough: whatever
 * passes must be a value to Postgres too, or a forged token would be an internal error.
 */
export type PositionKind = (text: string) => boolean

const MAX_INT64 = 2n ** 63n - 1n
/** The end of what a Timestamp may say, and of what toISOString writes with four digits. */
const MAX_TIME_MS = Date.UTC(10_000, 0)

export const isUuid: PositionKind = (text) =>
  /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/.test(text)

/** A bigint that is not negative: a sequence, minor units. */
export const isCount: PositionKind = (text) => /^\d{1,19}$/.test(text) && BigInt(text) <= MAX_INT64

/** As toISOString writes it, from 1970 on: no 30 February, no 25 o'clock. */
export const isTime: PositionKind = (text) => {
  const ms = Date.parse(text)
  return ms >= 0 && ms < MAX_TIME_MS && new Date(ms).toISOString() === text
}

/**
 * @param list everything that makes this list another one: procedure, filters, order
 */
export function encodePageToken(list: readonly unknown[], position: Position): string {
  return Buffer.from(JSON.stringify([fingerprint(list), ...position])).toString('base64url')
}

/**
 * The position in a token, undefined for an empty one (the first page). Throws INVALID_ARGUMENT for
 * anything that {@link encodePageToken} could not have made for this list.
 *
 * @param kinds what each of the position's values is
 */
export function decodePageToken(
  token: string,
  list: readonly unknown[],
  kinds: readonly PositionKind[],
): Position | undefined {
  if (token === '') return undefined
  const parts = parse(token)
  const [print, ...position] = parts
  const fits =
    print === fingerprint(list) &&
    position.length === kinds.length &&
    kinds.every((is, index) => is(position[index] ?? ''))
  if (fits) return position
  throw new ConnectError(
    'page_token does not belong to this list: start again without one, and keep filters and order',
    Code.InvalidArgument,
  )
}

export type PageRequest = { pageSize: number; pageToken: string }

export type Page<Row> = { rows: Row[]; nextPageToken: string }

/**
 * Cuts the extra row that tells whether there is a next page.
 *
 * @param found how many rows there were, the extra one included, when not all of them were brought along
 */
export function pageOf<Row, Shown>(
  rows: readonly Row[],
  size: number,
  list: readonly unknown[],
  position: (row: Row) => Position,
  show: (row: Row) => Shown,
  found = rows.length,
): Page<Shown> {
  const shown = rows.slice(0, size)
  const last = shown.at(-1)
  const more = found > shown.length && last !== undefined
  return {
    rows: shown.map(show),
    nextPageToken: more ? encodePageToken(list, position(last)) : '',
  }
}

function parse(token: string): string[] {
  try {
    const parts: unknown = JSON.parse(Buffer.from(token, 'base64url').toString())
    return Array.isArray(parts) && parts.every((part) => typeof part === 'string') ? parts : []
  } catch {
    return []
  }
}

function fingerprint(list: readonly unknown[]): string {
  return createHash('sha256').update(JSON.stringify(list)).digest('base64url').slice(0, 12)
}
