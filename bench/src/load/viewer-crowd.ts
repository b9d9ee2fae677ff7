/**
 * Viewers of one item, each on a connection of its own, that take what they are sent as cheaply as Node
 * allows: they share their cores with the servers that are measured.
 */
import { connect, type Socket } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { create } from '@bufbuild/protobuf'
import { WatchItemRequestSchema } from '@bidmesh/gen/live/v1/live_service_pb.ts'
import { messageOf } from '@bidmesh/platform/process/errors.ts'
import { withTimeLimit } from '@bidmesh/platform/process/time-limit.ts'
import { createDeliveryBook, type DeliveryReport, type ViewerPage } from './delivery-book.ts'
import { createDecoders, type StreamDecoder, watchRequest } from './stream-decoder.ts'

/** From asking to the snapshot; a server with hundreds of newcomers before this one is busy for a while. */
const enterLimitMs = 60_000

/** One buffer for the reads of all: they are handled one after the other, and what is kept is copied. */
const READ_BYTES = 65_536

const pollMs = 20
/** When no viewer has got anything more for this long, nothing more will come. */
const standstillLimitMs = 20_000

export type CrowdOptions = {
  /** `http://host:port` */
  url: string
  itemId: string
  /** Tests shorten it. */
  standstillMs?: number
}

export type ViewerCrowd = {
  /** Adds viewers, all at once; resolves when each has its snapshot. Rejects when one is refused. */
  enter: (count: number) => Promise<void>
  /** Resolves when every viewer has the bid of that number, or when nothing has moved for 20 s. */
  follow: (sequence: number) => Promise<DeliveryReport>
  /** Resolves when all connections are closed. */
  leave: () => Promise<void>
}

export function createViewerCrowd(options: CrowdOptions): ViewerCrowd {
  const { itemId, standstillMs = standstillLimitMs } = options
  const { hostname, port, host } = new URL(options.url)
  const buffer = Buffer.allocUnsafe(READ_BYTES)
  const openDecoder = createDecoders()
  const book = createDeliveryBook(Date.now)
  const viewers: Viewer[] = []

  async function enterOne(name: string): Promise<void> {
    const request = watchRequest(host, create(WatchItemRequestSchema, { itemId, userId: name }))
    const address = { host: hostname, port: Number(port) }
    const viewer = openViewer({
      address,
      request,
      buffer,
      decode: openDecoder(),
      page: book.open(name),
    })
    viewers.push(viewer)
    await withTimeLimit(viewer.entered, enterLimitMs, `the snapshot of ${name}`)
  }

  return {
    async enter(count) {
      const first = viewers.length
      const names = Array.from({ length: count }, (_, index) => `viewer-${first + index}`)
      await Promise.all(names.map(enterOne))
    },
    async follow(sequence) {
      let movedMs = performance.now()
      let seen = -1
      for (;;) {
        const had = book.bid(sequence)?.viewers ?? 0
        const deliveries = book.deliveries()
        if (deliveries !== seen) movedMs = performance.now()
        seen = deliveries
        if (had === viewers.length || performance.now() - movedMs > standstillMs) break
        await sleep(pollMs)
      }
      return book.report()
    },
    async leave() {
      await Promise.all(viewers.map((viewer) => viewer.leave()))
    },
  }
}

type Viewer = {
  /** Resolves with the snapshot; rejects when the connection or the server refuses it. */
  entered: Promise<undefined>
  leave: () => Promise<void>
}

type ViewerOptions = {
  address: { host: string; port: number }
  request: Buffer
  /** Shared. */
  buffer: Buffer
  decode: StreamDecoder
  page: ViewerPage
}

function openViewer({ address, request, buffer, decode, page }: ViewerOptions): Viewer {
  const { promise: entered, resolve, reject } = Promise.withResolvers<undefined>()
  let over = false

  function fail(reason: string): void {
    if (over) return
    over = true
    socket.destroy()
    if (page.hasEntered()) page.complain(reason)
    else reject(new Error(`a viewer was not let in: ${reason}`))
  }

  function callback(length: number): boolean {
    if (over) return false
    const isNew = !page.hasEntered()
    try {
      for (const message of decode(buffer.subarray(0, length))) page.take(message)
    } catch (error) {
      fail(messageOf(error))
    }
    if (isNew && page.hasEntered()) resolve(undefined)
    return true
  }

  const socket: Socket = connect({ ...address, onread: { buffer, callback } })
  socket.on('error', (error) => fail(error.message))
  socket.on('end', () => fail('the connection was closed'))
  socket.write(request)
  return {
    entered,
    async leave() {
      over = true
      if (socket.closed) return
      const { promise: closed, resolve: resolveClosed } = Promise.withResolvers<undefined>()
      socket.once('close', () => resolveClosed(undefined))
      socket.destroy()
      await closed
    },
  }
}
