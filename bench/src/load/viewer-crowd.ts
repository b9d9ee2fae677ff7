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
/**
 * After each turn of the loop the crowd rests, so that it takes what has come in lots. It shares its cores and its system
 * with the servers: woken for every few messages, a viewer took 8.8 µs of CPU per delivery, and takes 6.9. A delay is
 * longer by up to so much.
 */
const restMs = 1
/** A server that has gone may be a moment in coming back. */
const retryMs = 50

/** For everybody to come back. */
const returnLimitMs = 60_000

/** When no viewer has got anything more for this long, nothing more will come. */
const standstillLimitMs = 20_000

export type CrowdOptions = {
  /** `http://host:port` */
  url: string
  itemId: string
  /** Tests shorten it. */
  standstillMs?: number
}

export type Return = {
  /** When the last was back, in ms since 1970. */
  lastMs: number
  /** The bid that every viewer was at then, or further. */
  lowest: number
  /** Connections that came to nothing. */
  retries: number
}

export type ViewerCrowd = {
  /** Adds viewers, all at once; resolves when each has its snapshot. Rejects when one is refused. */
  enter: (count: number) => Promise<void>
  /** Resolves when every viewer has the bid of that number, or when nothing has moved for 20 s. */
  follow: (sequence: number) => Promise<DeliveryReport>
  /** From now on who loses their connection comes to that address, and back again until they are let in. */
  standBy: (url: string) => void
  /** Resolves when every viewer has lost the connection of before `standBy` and has been sent their first message on another. */
  returned: () => Promise<Return>
  /** Resolves when all connections are closed. */
  leave: () => Promise<void>
}

export function createViewerCrowd(options: CrowdOptions): ViewerCrowd {
  const { itemId, standstillMs = standstillLimitMs } = options
  let address = new URL(options.url)
  const buffer = Buffer.allocUnsafe(READ_BYTES)
  const openDecoder = createDecoders()
  const book = createDeliveryBook(Date.now)
  const viewers: Viewer[] = []
  const rest = createRest()
  /** While it is defined, who loses their connection comes back. */
  let back: Returning | undefined

  async function enterOne(name: string): Promise<void> {
    const page = book.open(name)
    const viewer = openViewer({
      ask() {
        const afterSequence = page.at()
        const known = afterSequence === undefined ? {} : { afterSequence: BigInt(afterSequence) }
        const request = create(WatchItemRequestSchema, { itemId, userId: name, ...known })
        const { hostname, port, host } = address
        const bytes = watchRequest(host, request)
        return { to: { host: hostname, port: Number(port) }, bytes, decode: openDecoder() }
      },
      buffer,
      page,
      rest,
      lost(isAgain) {
        if (back && isAgain) back.retries += 1
        return back !== undefined
      },
      isBack() {
        if (!back) return
        back.awaited -= 1
        back.lastMs = Date.now()
      },
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
      const isComplete = () => book.bid(sequence)?.viewers === viewers.length
      await untilStill(book.deliveries, isComplete, standstillMs)
      return book.report()
    },
    standBy(url) {
      address = new URL(url)
      back = { awaited: viewers.length, lastMs: 0, retries: 0 }
    },
    async returned() {
      if (!back) throw new Error('nobody was told where to come back to')
      await allBack(back)
      const { lastMs, retries } = back
      back = undefined
      return { lastMs, retries, lowest: book.lowest() }
    },
    async leave() {
      await Promise.all(viewers.map((viewer) => viewer.leave()))
    },
  }
}

/** Until it is complete, or the count has stood still for so long. */
async function untilStill(
  count: () => number,
  isComplete: () => boolean,
  standstillMs: number,
): Promise<void> {
  let movedMs = performance.now()
  let seen = -1
  for (;;) {
    const now = count()
    if (now !== seen) movedMs = performance.now()
    seen = now
    if (isComplete() || performance.now() - movedMs > standstillMs) return
    await sleep(pollMs)
  }
}

type Returning = { awaited: number; lastMs: number; retries: number }

async function allBack(back: Returning): Promise<void> {
  const deadlineMs = performance.now() + returnLimitMs
  while (back.awaited > 0) {
    if (performance.now() > deadlineMs) throw new Error(`${back.awaited} viewers are not back`)
    await sleep(pollMs)
  }
}

/** Called with each read: the crowd rests once this turn of the loop is done. */
function createRest(): () => void {
  const never = new Int32Array(new SharedArrayBuffer(Int32Array.BYTES_PER_ELEMENT))
  let isDue = false
  return () => {
    if (isDue) return
    isDue = true
    setImmediate(() => {
      isDue = false
      Atomics.wait(never, 0, 0, restMs)
    })
  }
}

type Viewer = {
  /** Resolves with the snapshot; rejects when the connection or the server refuses it. */
  entered: Promise<undefined>
  leave: () => Promise<void>
}

type ViewerOptions = {
  /** What to say on a new connection, and where. */
  ask: () => { to: { host: string; port: number }; bytes: Buffer; decode: StreamDecoder }
  /** Shared. */
  buffer: Buffer
  page: ViewerPage
  rest: () => void
  /** The connection is lost, again before it has brought anything: whether to open another. */
  lost: (isAgain: boolean) => boolean
  /** Another connection has brought its first message. */
  isBack: () => void
}

function openViewer(options: ViewerOptions): Viewer {
  const { buffer, page, rest } = options
  const { promise: entered, resolve, reject } = Promise.withResolvers<undefined>()
  let over = false
  let isReturning = false
  let socket = open()

  function fail(reason: string): void {
    over = true
    if (page.hasEntered()) page.complain(reason)
    else reject(new Error(`a viewer was not let in: ${reason}`))
  }

  function lose(lost: Socket, reason: string): void {
    if (over || lost !== socket) return
    lost.destroy()
    if (!page.hasEntered() || !options.lost(isReturning)) return fail(reason)
    page.reconnected()
    const waitMs = isReturning ? retryMs : 0
    isReturning = true
    setTimeout(() => {
      if (!over) socket = open()
    }, waitMs)
  }

  function open(): Socket {
    const { to, bytes, decode } = options.ask()
    const opened = connect({ ...to, onread: { buffer, callback } })
    opened.on('error', (error) => lose(opened, error.message))
    opened.on('end', () => lose(opened, 'the connection was closed'))
    opened.write(bytes)
    return opened

    function callback(length: number): boolean {
      if (over) return false
      rest()
      const isNew = !page.hasEntered()
      try {
        const messages = decode(buffer.subarray(0, length))
        for (const message of messages) page.take(message)
        if (isReturning && messages.length > 0) {
          isReturning = false
          options.isBack()
        }
      } catch (error) {
        lose(opened, messageOf(error))
        return false
      }
      if (isNew && page.hasEntered()) resolve(undefined)
      return true
    }
  }

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
