/** Between proto and plain values; the streams here are those that the library writes. */
import { canonicalId } from '@bidmesh/platform/rpc/canonical-id.ts'
import { timestampFromMs } from '@bufbuild/protobuf/wkt'
import { principalKey, readerOf } from '@bidmesh/platform/identity/principal.ts'
import { callerId } from '@bidmesh/platform/identity/caller-id.ts'
import { within } from '@bidmesh/platform/rpc/service-client.ts'
import { decodePageToken, DEFAULT_PAGE_SIZE, pageOf } from '@bidmesh/platform/rpc/page-token.ts'
import {
  LiveService,
  type WatchItemRequest,
  type WatchItemResponse,
  type WatchItemsRequest,
  type WatchItemsResponse,
} from '@bidmesh/gen/live/v1/live_service_pb.ts'
import type { ConnectRouter, HandlerContext } from '@connectrpc/connect'
import { createChatLimits } from './chat/chat-limits.ts'
import { maskedBid, maskedId, type Reader } from '@bidmesh/events/masked.ts'
import { type Chat, type ChatMessage, chatMessage, isMessageId } from './chat/chat.ts'
import { readerKey, type StreamMessage } from './streams/frame.ts'
import type { Hub } from './feed/hub.ts'
import type { ListFilter } from './lists/lists.ts'
import { createMailboxViewer, type MailboxViewer } from './streams/mailbox-viewer.ts'
import { itemNotFound } from './feed/item-not-found.ts'
import type { ItemSource } from './feed/item-source.ts'
import type { OpenViewer, ViewerEvents } from './streams/viewer.ts'
import type { Watch } from './streams/watch-streams.ts'
import type { Tickets } from './tickets/tickets.ts'

const DEFAULT_POINTS = 200
const TOP_BIDDERS = 3

/** The two streams as asked for, whoever writes them. */
export function watchesOf(hub: Hub) {
  const watchItem: Watch<WatchItemRequest> = (request, open) =>
    hub.watchItem(open, canonicalId(request.itemId), request.afterSequence)
  const watchItems: Watch<WatchItemsRequest> = (request, open, signal) =>
    hub.watchItems(open, filterOf(request), signal)
  return { watchItem, watchItems, turns: hub.turns }
}

function filterOf({ filter }: WatchItemsRequest): ListFilter {
  return {
    itemIds: (filter?.itemIds ?? []).map(canonicalId),
    category: filter?.category ?? '',
    sellerId: filter?.sellerId ?? '',
  }
}

export type RoutesOptions = {
  source: ItemSource
  hub: Hub
  chat: Chat
  tickets: Tickets
  events: ViewerEvents
}

export function liveRoutes({ source, hub, chat, tickets, events }: RoutesOptions) {
  const { watchItem, watchItems } = watchesOf(hub)
  const takeMessage = createChatLimits()
  return (router: ConnectRouter): ConnectRouter =>
    router.service(LiveService, {
      async *watchItem(request, { signal, values }: HandlerContext) {
        const reader = readerOf(values.get(principalKey), request.userId)
        const open = openMailbox(reader, isItemMessage, events)
        yield* stream((viewer) => watchItem(request, viewer, signal), open, signal)
      },

      async *watchItems(request, { signal, values }: HandlerContext) {
        const { seesAll } = readerOf(values.get(principalKey))
        const open = openMailbox({ userId: '', seesAll }, isItemsMessage, events)
        yield* stream((viewer) => watchItems(request, viewer, signal), open, signal)
      },

      async sendChatMessage(request, context) {
        const itemId = canonicalId(request.itemId)
        const userId = callerId(request.userId, 'user_id')
        takeMessage(itemId, userId)
        if (!(await source.exists(itemId, within(context)))) throw itemNotFound()
        return { message: chatMessage(await chat.send({ itemId, userId, text: request.text })) }
      },

      async listChatMessages(request, context) {
        const itemId = canonicalId(request.itemId)
        const list = ['chat', itemId]
        const size = request.pageSize || DEFAULT_PAGE_SIZE
        const [before] = decodePageToken(request.pageToken, list, [isMessageId]) ?? []
        const [messages, exists] = await Promise.all([
          chat.list(itemId, size + 1, before),
          source.exists(itemId, within(context)),
        ])
        if (!exists) throw itemNotFound()
        const reader = readerOf(context.values.get(principalKey))
        const show = ({ userId, ...message }: ChatMessage) =>
          chatMessage({ ...message, userId: maskedId(userId, reader) })
        const { rows, nextPageToken } = pageOf(messages, size, list, ({ id }) => [id], show)
        return { messages: rows, nextPageToken }
      },

      async issueStreamTicket(request, { values }: HandlerContext) {
        const userId = callerId(request.userId, 'user_id')
        const principal = values.get(principalKey)
        const endMs = principal.kind === 'identified' ? principal.expiresAtMs : undefined
        const { ticket, expiresAtMs } = await tickets.issue({ userId, expiresAtMs: endMs ?? null })
        return { ticket, expiresAt: timestampFromMs(expiresAtMs) }
      },

      async listTopBids({ itemId }, context) {
        const asked = { itemId, maxBidders: TOP_BIDDERS }
        const reader = readerOf(context.values.get(principalKey))
        const { bids } = await source.listTopBids(asked, within(context))
        return { bids: bids.map((bid) => maskedBid(bid, reader)) }
      },

      async getPriceHistory({ itemId, maxPoints }, context) {
        const asked = { itemId, maxBids: maxPoints || DEFAULT_POINTS }
        const sample = await source.sampleBids(asked, within(context))
        const { bids, startPrice, startAt, currency } = sample
        const points = bids.map(({ createdAt, amount, sequence }) => ({
          ...(createdAt && { time: createdAt }),
          amount,
          sequence,
        }))
        return { points, startPrice, currency, ...(startAt && { startAt }) }
      },
    })
}

type Mailbox<Message extends StreamMessage> = {
  open: OpenViewer
  viewer: () => MailboxViewer<Message> | undefined
}

function openMailbox<Message extends StreamMessage>(
  reader: Reader,
  is: (message: StreamMessage) => message is Message,
  events: ViewerEvents,
): Mailbox<Message> {
  let viewer: MailboxViewer<Message> | undefined
  return {
    open: (source) =>
      (viewer = createMailboxViewer({
        userId: reader.userId,
        reader: readerKey(reader),
        source,
        events,
        is,
      })),
    viewer: () => viewer,
  }
}

async function* stream<Message extends StreamMessage>(
  watch: (open: OpenViewer) => Promise<() => void>,
  { open, viewer }: Mailbox<Message>,
  signal: AbortSignal,
): AsyncGenerator<Message> {
  const leave = await watch(open)
  try {
    const mailbox = viewer()
    if (mailbox) yield* mailbox.messages(signal)
  } finally {
    leave()
  }
}

function isItemMessage(message: StreamMessage): message is WatchItemResponse {
  return message.$typeName === 'live.v1.WatchItemResponse'
}

function isItemsMessage(message: StreamMessage): message is WatchItemsResponse {
  return message.$typeName === 'live.v1.WatchItemsResponse'
}
