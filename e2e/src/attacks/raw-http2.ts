/**
 * HTTP/2 by hand: frames and header blocks that no library would send (RFC 9113, RFC 7541). Answers what a
 * server insists on, keeps to the connection's window, and forgets everything else it receives.
 */
import type { Socket } from 'node:net'
import type { AttackContext } from './attack.ts'
import { openSocket } from './raw-socket.ts'

export const frameTypes = {
  data: 0,
  headers: 1,
  priority: 2,
  resetStream: 3,
  settings: 4,
  ping: 6,
  windowUpdate: 8,
  continuation: 9,
} as const

export const END_STREAM = 1
export const END_HEADERS = 4
const ACK = 1

const FRAME_HEAD_BYTES = 9
/** What a peer may send on a connection before it hears of more. */
const FIRST_WINDOW_BYTES = 65_535

export function frame(
  type: keyof typeof frameTypes,
  flags: number,
  stream: number,
  payload: Uint8Array = Buffer.alloc(0),
): Buffer {
  const bytes = Buffer.alloc(FRAME_HEAD_BYTES + payload.length)
  bytes.writeUIntBE(payload.length, 0, 3)
  bytes[3] = frameTypes[type]
  bytes[4] = flags
  bytes.writeUInt32BE(stream, 5)
  bytes.set(payload, FRAME_HEAD_BYTES)
  return bytes
}

/** Literal fields without indexing. */
export function headerBlock(headers: Readonly<Record<string, string>>): Buffer {
  return Buffer.concat(
    Object.entries(headers).flatMap(([name, value]) => [
      Buffer.from([0]),
      hpackString(name),
      hpackString(value),
    ]),
  )
}

/** A length of 7 bits and more, and the bytes as they are. */
export function hpackString(text: string): Buffer {
  const bytes = Buffer.from(text, 'latin1')
  if (bytes.length < 127) return Buffer.concat([Buffer.from([bytes.length]), bytes])
  const length = [127]
  let rest = bytes.length - 127
  for (; rest >= 128; rest = Math.floor(rest / 128)) length.push((rest % 128) + 128)
  return Buffer.concat([Buffer.from([...length, rest]), bytes])
}

export function requestHeaders(path: string, type: string): Record<string, string> {
  return {
    ':method': 'POST',
    ':scheme': 'http',
    ':path': path,
    ':authority': 'localhost',
    'content-type': type,
    te: 'trailers',
  }
}

export type RawHttp2 = {
  socket: Socket
  /** Code of the GOAWAY received, if any. */
  goneAway: () => number | undefined
  /** Sends DATA as the connection's window allows; resolves when it is out or the connection is gone. */
  sendData: (stream: number, payload: Uint8Array, flags?: number) => Promise<void>
}

/** @param settings pairs of identifier and value */
export function openHttp2(
  context: Pick<AttackContext, 'host' | 'port'>,
  settings: readonly (readonly [number, number])[] = [],
): RawHttp2 {
  const socket = openSocket(context)
  const payload = Buffer.alloc(settings.length * 6)
  for (const [index, [id, value]] of settings.entries()) {
    payload.writeUInt16BE(id, index * 6)
    payload.writeUInt32BE(value, index * 6 + 2)
  }
  socket.write(
    Buffer.concat([
      Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'),
      frame('settings', 0, 0, payload),
    ]),
  )
  let window = FIRST_WINDOW_BYTES
  let goneAway: number | undefined
  let wake: (() => void) | undefined
  let unread: Buffer = Buffer.alloc(0)
  socket.on('close', () => wake?.())
  socket.on('data', (chunk: Buffer) => {
    unread = unread.length === 0 ? chunk : Buffer.concat([unread, chunk])
    while (unread.length >= FRAME_HEAD_BYTES) {
      const length = unread.readUIntBE(0, 3)
      if (unread.length < FRAME_HEAD_BYTES + length) return
      const body = unread.subarray(FRAME_HEAD_BYTES, FRAME_HEAD_BYTES + length)
      const [type, flags, stream] = [unread[3], unread[4] ?? 0, unread.readUInt32BE(5)]
      if (type === frameTypes.settings && !(flags & ACK)) socket.write(frame('settings', ACK, 0))
      if (type === frameTypes.ping && !(flags & ACK)) socket.write(frame('ping', ACK, 0, body))
      if (type === frameTypes.windowUpdate && stream === 0) {
        window += body.readUInt32BE(0)
        wake?.()
      }
      if (type === GOAWAY) goneAway = body.readUInt32BE(4)
      unread = unread.subarray(FRAME_HEAD_BYTES + length)
    }
  })
  return {
    socket,
    goneAway: () => goneAway,
    sendData: async (stream, bytes, flags = 0) => {
      for (let offset = 0; offset < bytes.length && !socket.destroyed;) {
        const part = Math.min(16_384, window, bytes.length - offset)
        if (part === 0) {
          const { promise, resolve } = Promise.withResolvers<void>()
          wake = resolve
          await promise
          continue
        }
        window -= part
        const isLast = offset + part === bytes.length
        const payloadPart = bytes.subarray(offset, offset + part)
        socket.write(frame('data', isLast ? flags : 0, stream, payloadPart))
        offset += part
      }
    },
  }
}

const GOAWAY = 7

/** Stream ids of a client, first to last. */
export function streamId(index: number): number {
  return index * 2 + 1
}
