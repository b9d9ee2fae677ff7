/** The latest of each item of a list, as it changes. */
import { useEffect, useState } from 'react'
import { timestampMs } from '@bufbuild/protobuf/wkt'
import type { Item } from '@bidmesh/gen/bids/v1/bid_service_pb.ts'
import type { ItemUpdate } from '@bidmesh/gen/live/v1/live_service_pb.ts'
import { type Connection, followStream } from '../app/follow-stream.ts'
import { observeServerTime } from '../app/server-time.tsx'
import { client } from '../app/transport.ts'
import { useLate } from '../ui/use-late.ts'

/** Most ids of one stream; a list that shows more follows the latest ones. */
const IDS_MAX = 500

export type ListStream = { updates: ReadonlyMap<string, ItemUpdate>; connection: Connection }

export function useListStream(itemIds: readonly string[]): ListStream {
  const [stream, setStream] = useState<ListStream>({ updates: new Map(), connection: 'connecting' })
  const key = itemIds.slice(-IDS_MAX).join(' ')
  useEffect(() => {
    if (key === '') return undefined
    return followStream({
      watch: (options) => client.watchItems({ filter: { itemIds: key.split(' ') } }, options),
      onMessage: ({ updates: changed, serverTime }) => {
        if (serverTime) observeServerTime(timestampMs(serverTime))
        if (changed.length === 0) return
        setStream(({ updates, connection }) => {
          const next = new Map(updates)
          for (const update of changed) {
            const known = next.get(update.itemId)
            if (!known || known.version < update.version) next.set(update.itemId, update)
          }
          return { updates: next, connection }
        })
      },
      onConnection: (connection) =>
        setStream((current) => {
          // Another list does not bring the connection back.
          const isStillLost = current.connection === 'lost' && connection === 'connecting'
          const isSame = current.connection === connection || isStillLost
          return isSame ? current : { ...current, connection }
        }),
    })
  }, [key])
  const late = useLate(key !== '' && stream.connection === 'connecting')
  if (key === '') return { ...stream, connection: 'connecting' }
  return late || stream.connection === 'failed' ? { ...stream, connection: 'lost' } : stream
}

/** An item as last heard of: its own copy, or the update if that is newer. */
export function withUpdate(item: Item, update: ItemUpdate | undefined): Item {
  if (!update || update.version <= item.version) return item
  const { itemId: _, $typeName: __, endAt, ...rest } = update
  return { ...item, ...rest, ...(endAt && { endAt }) }
}
