/**
 * An item for its page: live by the stream, and by asking again and again for as long as no stream can be
 * had, so that a page is never empty when the server can be reached at all. Of a leader's tab in the
 * background, which has no stream, the title still tells when they are outbid.
 */
import { isYou } from '../ui/person-name.ts'
import { useMemo } from 'react'
import { Code, ConnectError } from '@connectrpc/connect'
import { useQuery } from '@connectrpc/connect-query'
import { useDocumentVisibility } from '@mantine/hooks'
import { BidService, type Item } from '@bidmesh/gen/bids/v1/bid_service_pb.ts'
import type { Connection } from '../app/follow-stream.ts'
import { caughtUp, type ItemView, viewOf } from './item-view.ts'
import { useItemStream } from './use-item-stream.ts'
import { useLate } from '../ui/use-late.ts'

/** How often an item is asked for while there is no stream. */
const POLL_MS = 5_000
const HIDDEN_POLL_MS = 15_000

export type LiveItem = {
  view: ItemView | undefined
  connection: Connection
  /** Why there is nothing to show. */
  error: unknown
  retry: () => void
}

const noSuchItem: ReadonlySet<Code> = new Set([Code.NotFound, Code.InvalidArgument])

/** No item has this id, or it is no id at all: asking again changes nothing. */
export function isNoSuchItem(error: unknown): boolean {
  return error instanceof ConnectError && noSuchItem.has(error.code)
}

export function useItem(itemId: string, userId: string): LiveItem {
  const stream = useItemStream(itemId, userId)
  const late = useLate(stream.connection === 'connecting')
  const isHidden = useDocumentVisibility() === 'hidden'
  const asked = useQuery(
    BidService.method.getItem,
    { id: itemId },
    {
      enabled: stream.view ? isHidden && stream.view.winning : !isNoSuchItem(stream.error),
      refetchInterval: isHidden ? HIDDEN_POLL_MS : POLL_MS,
      refetchIntervalInBackground: stream.view !== undefined,
    },
  )
  const item = asked.data?.item
  const view = useMemo(() => latest(stream.view, item, userId), [stream.view, item, userId])
  const { refetch } = asked
  return {
    view,
    connection: late || stream.connection === 'failed' ? 'lost' : stream.connection,
    error: stream.error ?? asked.error,
    retry: () => void refetch(),
  }
}

function latest(view: ItemView | undefined, item: Item | undefined, userId: string) {
  if (!view || !item) return view ?? (item && viewOf(item, userId))
  if (item.version <= view.item.version) return view
  return caughtUp(view, item, isYou(item.highestBidderId, userId))
}
