/** What viewers ask for, as bytes of HTTP/1.1. */

/** Asks for the stream of one item, as server-sent events. */
export function watchItemRequest(itemId: string, userId = ''): string {
  return `GET /live/items/${itemId}?user_id=${userId} HTTP/1.1\r\nhost: test\r\n\r\n`
}

/** Asks for a list of items, as Connect JSON. */
export function watchItemsRequest(itemIds: readonly string[]): Buffer {
  const message = Buffer.from(JSON.stringify({ filter: { itemIds } }))
  const envelope = Buffer.alloc(5)
  envelope.writeUInt32BE(message.length, 1)
  const head = [
    'POST /live.v1.LiveService/WatchItems HTTP/1.1',
    'host: test',
    'content-type: application/connect+json',
    `content-length: ${envelope.length + message.length}`,
  ]
  return Buffer.concat([Buffer.from(`${head.join('\r\n')}\r\n\r\n`), envelope, message])
}
