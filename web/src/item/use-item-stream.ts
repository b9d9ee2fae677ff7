/** An item as it changes, for a page that shows it. */
import { useEffect, useState } from 'react'
import type { ConnectError } from '@connectrpc/connect'
import { timestampMs } from '@bufbuild/protobuf/wkt'
import { type Connection, followStream } from '../app/follow-stream.ts'
import { followItem, type ItemView } from './item-view.ts'
import { observeServerTime } from '../app/server-time.tsx'
import { statedId } from '../app/session.ts'
import { client } from '../app/transport.ts'

export type ItemStream = {
  /** Undefined until the first snapshot. */
  view: ItemView | undefined
  connection: Connection
  error: ConnectError | undefined
}

const nothing: ItemStream = { view: undefined, connection: 'connecting', error: undefined }

export function useItemStream(itemId: string, userId: string): ItemStream {
  const [stream, setStream] = useState(nothing)
  useEffect(() => {
    let view: ItemView | undefined
    setStream(nothing)
    return followStream({
      watch: (options) => client.watchItem({ itemId, userId: statedId(userId) }, options),
      onMessage: (message) => {
        if (message.serverTime) observeServerTime(timestampMs(message.serverTime))
        view = followItem(view, message)
      },
      onConnection: (connection, error) => setStream({ view, connection, error }),
    })
  }, [itemId, userId])
  return stream
}
