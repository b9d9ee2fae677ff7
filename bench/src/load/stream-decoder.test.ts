import { createServer } from 'node:http'
import { once } from 'node:events'
import { connect } from 'node:net'
import { fromBinary, create } from '@bufbuild/protobuf'
import { WatchItemRequestSchema } from '@bidmesh/gen/live/v1/live_service_pb.ts'
import { chunk } from '@bidmesh/live/streams/frame.ts'
import { envelope } from '@bidmesh/platform/rpc/envelope.ts'
import { describe, expect, it } from 'vitest'
import { bid, clock, head, snapshot } from '../scenarios/sample-stream.ts'
import { createDecoders, type StreamMessage, watchRequest } from './stream-decoder.ts'

const stream = Buffer.concat([head, snapshot(3), clock(1_000), bid(4, 1_001), bid(5, 1_002)])
const messages: StreamMessage[] = [
  { kind: 'snapshot', sequence: 3 },
  { kind: 'other' },
  { kind: 'bid', sequence: 4, decidedMs: 1_001 },
  { kind: 'bid', sequence: 5, decidedMs: 1_002 },
]

describe('a stream', () => {
  it('is read when it comes at once', () => {
    expect(createDecoders()()(stream)).toEqual(messages)
  })

  it('is read when it comes in two reads, wherever it is cut', () => {
    for (let cut = 0; cut <= stream.length; cut += 1) {
      const decode = createDecoders()()
      const read = [...decode(stream.subarray(0, cut)), ...decode(stream.subarray(cut))]
      expect({ cut, read }).toEqual({ cut, read: messages })
    }
  })

  it('is read when it comes byte by byte, in a buffer that is used again', () => {
    const decode = createDecoders()()
    const shared = Buffer.alloc(1)
    const read = [...stream].flatMap((byte) => {
      shared[0] = byte
      return [...decode(shared)]
    })
    expect(read).toEqual(messages)
  })

  it('is read when a message comes in several chunks, and a chunk holds several messages', () => {
    const all = Buffer.concat([snapshot(3), bid(4)].map(bodyOf))
    const decode = createDecoders()()
    decode(head)
    const chunks = [all.subarray(0, 2), all.subarray(2, 9), all.subarray(9)].map(chunk)
    expect(decode(Buffer.concat(chunks))).toEqual([
      { kind: 'snapshot', sequence: 3 },
      { kind: 'bid', sequence: 4, decidedMs: 4 },
    ])
  })
})

describe('decoders that share what they know', () => {
  it('read the same as one that does not', () => {
    const open = createDecoders()
    const [first, second] = [open(), open()]
    const reads = [head, snapshot(1), bid(2), Buffer.concat([bid(3), clock(5)]), bid(4)]
    const alone = reads.map((read) => first(read))
    expect(reads.map((read) => second(read))).toEqual(alone)
    expect(alone.flat().filter(({ kind }) => kind === 'bid')).toHaveLength(3)
  })

  it('keep what they know when the buffer of the read is used again', () => {
    const open = createDecoders()
    const [first, second] = [open(), open()]
    for (const decode of [first, second]) decode(head)
    const buffer = Buffer.from(bid(7))
    first(buffer)
    bid(8).copy(buffer)
    expect(second(buffer)).toEqual([{ kind: 'bid', sequence: 8, decidedMs: 8 }])
  })

  it('do not mistake the rest of a split message for one they know', () => {
    const open = createDecoders()
    const [first, second] = [open(), open()]
    first(Buffer.concat([head, snapshot(1)]))
    const whole = bid(2)
    first(whole)
    // A chunk whose data looks just like a read the other has met.
    const wrapped = chunk(whole)
    const start = wrapped.indexOf(whole)
    second(Buffer.concat([head, snapshot(1)]))
    second(wrapped.subarray(0, start))
    expect(second(whole)).toEqual([])
    expect(() => second(Buffer.from('\r\n'))).toThrow(/flags/)
  })

  it('go on when more is going on than they remember', () => {
    const decode = createDecoders()()
    decode(head)
    const times = Array.from({ length: 50 }, (_, index) => index)
    expect(times.flatMap((time) => [...decode(bid(time))])).toHaveLength(50)
    expect(decode(bid(0))).toEqual([{ kind: 'bid', sequence: 0, decidedMs: 0 }])
  })
})

describe('what is no stream, or its end, is an error', () => {
  const after = (read: Buffer) => () => {
    const decode = createDecoders()()
    decode(head)
    return decode(read)
  }

  it.each([
    ['a rejection', () => createDecoders()()(Buffer.from('HTTP/1.1 429 Too Many\r\n\r\n')), /429/],
    ['no chunks', () => createDecoders()()(Buffer.from('HTTP/1.1 200 OK\r\n\r\n')), /chunks/],
    ['an endless head', () => createDecoders()()(Buffer.alloc(20_000, 97)), /head/],
    ['an end with a reason', after(chunk(envelope(2, Buffer.from('{"error":1}')))), /"error":1/],
    ['the last chunk', after(Buffer.from('0\r\n\r\n')), /ended/],
    ['chunks in chunks', after(chunk(bid(1))), /flags/],
    ['no length of a chunk', after(Buffer.from('hello\r\n')), /length/],
  ] as const)('%s', (_, decode, message) => {
    expect(decode).toThrow(message)
  })
})

it('asks in a way an HTTP server understands', async () => {
  const server = createServer()
  const requested = once(server, 'request')
  await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening))
  const address = server.address()
  if (typeof address !== 'object' || address === null) throw new Error('not listening')
  const socket = connect(address.port, '127.0.0.1')
  const asked = create(WatchItemRequestSchema, { itemId: 'i', userId: 'u' })
  socket.write(watchRequest('host', asked))
  const [request] = await requested
  const body = Buffer.concat(await request.toArray())
  expect(request.url).toBe('/live.v1.LiveService/WatchItem')
  expect(body.readUInt32BE(1)).toBe(body.length - 5)
  expect(fromBinary(WatchItemRequestSchema, body.subarray(5))).toEqual(asked)
  socket.destroy()
  await new Promise((closed) => server.close(closed))
})

/** The data of a chunk. */
function bodyOf(bytes: Buffer): Buffer {
  return bytes.subarray(bytes.indexOf('\r\n') + 2, -2)
}
