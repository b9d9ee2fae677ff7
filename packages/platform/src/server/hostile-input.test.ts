/**
 * Requests that nobody can have meant, byte by byte and in every protocol: refused as the caller's mistake,
 * in words, before any handler has seen them, and without a line of an error in the log.
 */
import { once } from 'node:events'
import { connect as connectHttp2 } from 'node:http2'
import type { IncomingHttpHeaders } from 'node:http2'
import { connect as connectTcp } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { gzipSync } from 'node:zlib'
import { create, toBinary } from '@bufbuild/protobuf'
import { Code, ConnectError, createClient } from '@connectrpc/connect'
import { createGrpcTransport, createGrpcWebTransport } from '@connectrpc/connect-node'
import { codeFromString } from '@connectrpc/connect/protocol-connect'
import { encodeEnvelope } from '@connectrpc/connect/protocol'
import {
  BidService,
  CreateItemRequestSchema,
  PlaceBidRequestSchema,
} from '@bidmesh/gen/bids/v1/bid_service_pb.ts'
import { trustEverybody } from '../identity/authenticator.ts'
import { LiveService } from '@bidmesh/gen/live/v1/live_service_pb.ts'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { createLog } from '../process/log.ts'
import { startServer } from './server.ts'
import type { Server } from './server.ts'

const id = '0193a1b2-0000-7000-8000-000000000001'
const lines: string[] = []
let handled = 0
let server: Server

beforeAll(async () => {
  const count = () => {
    handled += 1
    return {}
  }
  server = await startServer({
    authenticator: trustEverybody,
    host: '127.0.0.1',
    port: 0,
    components: [
      {
        name: 'bid',
        services: [BidService, LiveService],
        routes: (router) => {
          router.service(BidService, { placeBid: count, createItem: count, listItems: count })
          router.service(LiveService, {
            async *watchItem() {
              yield count()
            },
          })
        },
        check: async () => undefined,
        stop: async () => undefined,
      },
    ],
    log: createLog({
      name: 'test',
      level: 'debug',
      destination: { write: (line) => lines.push(line) },
    }),
    metricsText: async () => '# metrics\n',
  })
})
afterAll(() => server.stop())

type Answer = { code: Code | 0; message: string; status: number }

const placeBid = '/bids.v1.BidService/PlaceBid'
const createItem = '/bids.v1.BidService/CreateItem'
const watchItem = '/live.v1.LiveService/WatchItem'

async function post(path: string, type: string | undefined, body: Uint8Array, headers = {}) {
  // A Blob without a type is sent without a content type.
  return await fetch(server.url + path, {
    method: 'POST',
    headers: { ...(type !== undefined && { 'content-type': type }), ...headers },
    body: new Blob([new Uint8Array(body)]),
  })
}

function codeOf(error: unknown): Code | 0 {
  const { code } = error as { code?: string }
  return code === undefined ? 0 : (codeFromString(code) ?? Code.Unknown)
}

async function unary(path: string, type: string, body: Uint8Array, headers = {}): Promise<Answer> {
  const response = await post(path, type, body, headers)
  if (response.status === 200) return { code: 0, message: '', status: 200 }
  const text = await response.text()
  expect(text.endsWith('}\n')).toBe(true)
  expect(Number(response.headers.get('content-length'))).toBe(Buffer.byteLength(text))
  const error = JSON.parse(text) as { message: string }
  return { code: codeOf(error), message: error.message, status: response.status }
}

async function grpc(path: string, frames: Uint8Array, headers = {}): Promise<Answer> {
  const session = connectHttp2(server.url)
  const stream = session.request({
    ':method': 'POST',
    ':path': path,
    'content-type': 'application/grpc',
    te: 'trailers',
    ...headers,
  })
  let trailers: IncomingHttpHeaders = {}
  stream.on('trailers', (found: IncomingHttpHeaders) => (trailers = found))
  stream.resume().end(frames)
  const [head] = (await once(stream, 'response')) as [IncomingHttpHeaders]
  await once(stream, 'close')
  session.close()
  const found = { ...head, ...trailers }
  return {
    code: Number(found['grpc-status']) as Code,
    message: decodeURIComponent(String(found['grpc-message'] ?? '')),
    status: Number(head[':status']),
  }
}

/** The last frame of an enveloped answer. */
async function lastFrame(response: Response): Promise<string> {
  const body = Buffer.from(await response.arrayBuffer())
  let start = 0
  for (;;) {
    const end = start + 5 + body.readUInt32BE(start + 1)
    if (end >= body.length) return body.toString('utf8', start + 5)
    start = end
  }
}

async function grpcWeb(path: string, frames: Uint8Array, headers = {}): Promise<Answer> {
  const response = await post(path, 'application/grpc-web+proto', frames, headers)
  const trailer = await lastFrame(response)
  return {
    code: Number(/grpc-status: (\d+)/.exec(trailer)?.[1]) as Code,
    message: decodeURIComponent(/grpc-message: ([^\r]*)/.exec(trailer)?.[1] ?? ''),
    status: response.status,
  }
}

async function connectStream(frames: Uint8Array, headers = {}): Promise<Answer> {
  const response = await post(watchItem, 'application/connect+proto', frames, headers)
  const { error } = JSON.parse(await lastFrame(response)) as { error?: { message: string } }
  return { code: codeOf(error ?? {}), message: error?.message ?? '', status: response.status }
}

function frame(data: Uint8Array, flags = 0): Uint8Array {
  return encodeEnvelope(flags, data)
}

/** Every way a binary message can come in; the message of the streams has the same first field. */
const binary: Record<string, (message: Uint8Array) => Promise<Answer>> = {
  Connect: (message) => unary(placeBid, 'application/proto', message),
  gRPC: (message) => grpc(placeBid, frame(message)),
  'gRPC-Web': (message) => grpcWeb(placeBid, frame(message)),
  'a stream of Connect': (message) => connectStream(frame(message)),
  'a stream of gRPC': (message) => grpc(watchItem, frame(message)),
  'a stream of gRPC-Web': (message) => grpcWeb(watchItem, frame(message)),
}

function refused(answer: Answer): void {
  expect(answer).toMatchObject({ code: Code.InvalidArgument })
  expect(answer.message).not.toMatch(/internal|readMaxBytes|parse binary/i)
  expect(answer.message.length).toBeGreaterThan(10)
}

async function expectRefused(ask: () => Promise<Answer>): Promise<Answer> {
  const before = handled
  const answer = await ask()
  refused(answer)
  expect(handled).toBe(before)
  expect(lines.filter((line) => /"level":"(error|warn)"/.test(line))).toEqual([])
  return answer
}

/** The field `item_id`, with these bytes. */
function field1(...bytes: number[]): Uint8Array {
  return Uint8Array.of(0x0a, bytes.length, ...bytes)
}

describe('binary messages', () => {
  const broken: Record<string, Uint8Array> = {
    'text that is not UTF-8': field1(0x61, 0xff, 0x62),
    'an overlong encoding': field1(0xc0, 0xaf),
    'half of a surrogate pair': field1(0xed, 0xa0, 0x80),
    'a length beyond the end': Uint8Array.of(0x0a, 0x7f, 0x61),
    'a number that never ends': Uint8Array.of(0x10, ...Array<number>(12).fill(0xff)),
    'a wire type that does not exist': Uint8Array.of(0x0f),
    'a field number of zero': Uint8Array.of(0x00, 0x01),
  }
  for (const [protocol, send] of Object.entries(binary)) {
    for (const [name, bytes] of Object.entries(broken)) {
      test(`${protocol}: ${name}`, async () => {
        const { message } = await expectRefused(() => send(bytes))
        expect(message).toMatch(/^the message is not what this procedure takes: ./)
      })
    }
  }

  const good = { title: 'Lamp', startPrice: 1n, sellerId: 'ann' }
  const times: Record<string, { seconds: bigint; nanos: number }> = {
    'after the year 9999': { seconds: 253_402_300_800n, nanos: 0 },
    'before the year 1': { seconds: -62_135_596_801n, nanos: 0 },
    'at the end of int64': { seconds: 2n ** 63n - 1n, nanos: 0 },
    'with negative nanoseconds': { seconds: 2_000_000_000n, nanos: -1 },
    'with a second of nanoseconds': { seconds: 2_000_000_000n, nanos: 1_000_000_000 },
  }
  for (const [name, endAt] of Object.entries(times)) {
    test(`a time ${name}`, async () => {
      const request = create(CreateItemRequestSchema, { ...good, endAt })
      const bytes = toBinary(CreateItemRequestSchema, request)
      await expectRefused(() => unary(createItem, 'application/proto', bytes))
      await expectRefused(() => grpc(createItem, frame(bytes)))
      expect((await grpc(createItem, frame(bytes))).message).toMatch(/^end_at: .*year/)
    })
  }

  test('durations whose halves disagree, or are out of range', async () => {
    const windows = [
      { seconds: 30n, nanos: -1 },
      { seconds: 30n, nanos: 1_000_000_000 },
      { seconds: 315_576_000_001n, nanos: 0 },
    ]
    for (const window of windows) {
      const endAt = { seconds: 2_000_000_000n, nanos: 0 }
      const request = create(CreateItemRequestSchema, { ...good, endAt, softClose: { window } })
      const bytes = toBinary(CreateItemRequestSchema, request)
      const { message } = await expectRefused(() => unary(createItem, 'application/proto', bytes))
      expect(message).toMatch(/^soft_close\.window: must be a duration/)
    }
  })
})

describe('JSON', () => {
  const json = (path: string, text: string | Uint8Array) =>
    unary(path, 'application/json', typeof text === 'string' ? Buffer.from(text) : text)
  const bid = (user: string) => `{"item_id": "${id}", "amount": 100, "user_id": "${user}"}`

  test('bytes that are not UTF-8 are refused, not replaced', async () => {
    for (const byte of ['\xff', '\xe9', '\xc3', '\xed\xa0\x80']) {
      await expectRefused(() => json(placeBid, Buffer.from(bid(`ann${byte}`), 'latin1')))
    }
    expect((await json(placeBid, Buffer.from(bid('Zoë'), 'latin1'))).message).toContain('UTF-8')
    expect((await json(placeBid, bid('Zoë'))).code).toBe(0)
  })

  const users: Record<string, string> = {
    'half of a surrogate pair': '\\ud83d',
    'a NUL': 'ann\\u0000',
    'nothing but a space': ' ',
    'nothing but zero-width characters': '\\u200b\\u2060',
    'a filler that looks like nothing': '\\u3164',
    'a zero-width character between others': 'an\\u200bn',
    'a character that turns the direction': 'ann\\u202e',
    'a space at its end': 'ann ',
    'a line break': 'ann\\n',
    'the mark of unreadable bytes': 'ann\\ufffd',
    'a soft hyphen': 'an\\u00adn',
    'a variation selector': 'ann\\ufe0f',
    'an unassigned character': 'ann\\u0378',
  }
  for (const [name, user] of Object.entries(users)) {
    test(`a user id with ${name}`, async () => {
      await expectRefused(() => json(placeBid, bid(user)))
      expect((await json(placeBid, bid(user))).message).toMatch(/user_id/)
    })
  }

  test('ids of people all over the world, and of machines', async () => {
    for (const user of [
      'ann',
      'Ann Ó Briain',
      '李小龙',
      'अनुराधा',
      'محمد',
      '🦊',
      'auth0|65ab',
      'a@b.c',
    ])
      expect(await json(placeBid, bid(user))).toMatchObject({ code: 0 })
  })

  const item = (more: object) =>
    JSON.stringify({ title: 'Lamp', start_price: 1, end_at: '2027-01-01T00:00:00Z', ...more })
  const impossible = [
    '2026-02-30T00:00:00Z',
    '2025-02-29T00:00:00Z',
    '2026-04-31T12:00:00Z',
    '2026-01-01T24:00:00Z',
    '2026-13-01T00:00:00Z',
    '2026-00-10T00:00:00Z',
    '2026-01-00T00:00:00Z',
    '2026-01-01T23:60:00Z',
    '2026-12-31T23:59:60Z',
    '2026-01-01T00:00:00+24:00',
    '2026-01-01T00:00:00+01:60',
    '0000-01-01T00:00:00Z',
    '2026-01-01',
    '2026-01-01T00:00:00',
    '2026-01-01 00:00:00Z',
    'tomorrow',
    '',
    1_770_000_000,
  ]
  for (const end_at of impossible) {
    test(`the time ${JSON.stringify(end_at)}`, async () => {
      await expectRefused(() => json(createItem, item({ end_at })))
      await expectRefused(() => json(createItem, item({ end_at: undefined, endAt: end_at })))
      expect((await json(createItem, item({ end_at }))).message).toMatch(/^end_at: .*RFC 3339/)
    })
  }

  test('times that exist', async () => {
    for (const end_at of [
      '2028-02-29T23:59:59.999999999Z',
      '2000-02-29T00:00:00-00:00',
      '2026-12-31T23:59:59+14:00',
    ])
      expect(await json(createItem, item({ end_at }))).toMatchObject({ code: 0 })
  })

  test('durations with something behind them, or without a unit', async () => {
    for (const window of ['30s garbage', '30', '1m', ' 30s', '1.1234567891s', '', 30]) {
      await expectRefused(() => json(createItem, item({ soft_close: { window } })))
      const { message } = await json(createItem, item({ soft_close: { window } }))
      expect(message).toMatch(/^soft_close\.window: must be seconds/)
    }
  })

  test('blank, invisible and many-lined titles and categories; currencies nobody has', async () => {
    const mistakes: [object, RegExp][] = [
      [{ title: '   ' }, /^title: .*seen/],
      [{ title: '\u200b\u200d\ufeff' }, /^title: .*seen/],
      [{ title: '\u2800\u3164' }, /^title: .*seen/],
      [{ title: 'Lamp\u202egnp.exe' }, /^title: .*direction/],
      [{ title: 'Lamp\nLamp' }, /^title: .*line/],
      [{ title: 'Lamp\u0007' }, /^title: .*control/],
      [{ category: ' ' }, /^category: .*seen/],
      [{ description: 'a\u0000b' }, /^description: .*control/],
      [{ currency: 'ZZZ' }, /^currency: .*ISO 4217/],
      [{ currency: 'eur' }, /^currency: .*ISO 4217/],
      [{ currency: 'XXX' }, /^currency: .*ISO 4217/],
      [{ images: ['http://'] }, /^images\[0\]: .*http/],
      [{ images: ['ok.png'] }, /^images\[0\]: .*http/],
    ]
    for (const [mistake, words] of mistakes) {
      await expectRefused(() => json(createItem, item(mistake)))
      expect((await json(createItem, item(mistake))).message).toMatch(words)
    }
    const fine = {
      title: 'کتاب‌ها 👩‍🚀',
      description: 'Two\r\n\tlines',
      category: 'Möbel',
      currency: 'HUF',
    }
    expect(await json(createItem, item(fine))).toMatchObject({ code: 0 })
  })

  /** As a client writes it that escapes whatever is not ASCII. */
  const escaped = (text: string) =>
    text.replaceAll(/[^\0-\x7f]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16)}`)

  test('the largest legal item fits, however a client escapes it', async () => {
    const emoji = (count: number) => '😀'.repeat(count)
    const largest = {
      title: emoji(200),
      description: emoji(10_000),
      start_price: '1000000000000000',
      min_increment: '1000000000000000',
      start_at: '2026-12-31T23:59:59.999999999+14:00',
      end_at: '2027-12-31T23:59:59.999999999+14:00',
      images: Array.from({ length: 10 }, () => `/${emoji(2_047)}`),
      category: emoji(64),
      seller_id: emoji(128),
      currency: 'EUR',
      soft_close: { window: '3600.000000000s', extension: '3600.000000000s', max_extensions: 1000 },
    }
    const body = escaped(JSON.stringify(largest))
    expect(body.length).toBeGreaterThan(360_000)
    expect(await json(createItem, body)).toMatchObject({ code: 0 })
    const tooLarge = await json(createItem, body.padEnd(384 * 1024 + 1))
    expect(tooLarge).toEqual({
      code: Code.ResourceExhausted,
      message: 'the message is larger than 393216 bytes',
      status: 413,
    })
  })
})

describe('around the message', () => {
  const good = toBinary(
    PlaceBidRequestSchema,
    create(PlaceBidRequestSchema, { itemId: id, amount: 1n, userId: 'ann' }),
  )

  test('envelopes: truncated, marked as compressed without a word how, with flags nobody knows', async () => {
    const truncated = frame(good).subarray(0, -3)
    await expectRefused(() => grpc(placeBid, truncated))
    await expectRefused(() => grpcWeb(placeBid, truncated))
    await expectRefused(() => connectStream(truncated))
    // The protocols call it INTERNAL.
    const compressed = { code: Code.Internal, message: expect.stringContaining('no header says') }
    expect(await grpc(placeBid, frame(good, 1))).toMatchObject(compressed)
    expect(await grpcWeb(placeBid, frame(good, 1))).toMatchObject(compressed)
    expect(await connectStream(frame(good, 1))).toMatchObject(compressed)
    // An end without a message; gRPC calls the wrong number of messages UNIMPLEMENTED.
    expect(await grpcWeb(placeBid, frame(good, 0x80))).toMatchObject({ code: Code.Unimplemented })
    expect(await connectStream(frame(good, 0x02))).toMatchObject({ code: Code.Unimplemented })
  })

  test('compression: broken, cut short, or unknown', async () => {
    const whole = gzipSync(good)
    for (const bytes of [Buffer.from('nonsense'), whole.subarray(0, -4), whole.subarray(0, 12)]) {
      const headers = { 'content-encoding': 'gzip' }
      await expectRefused(() => unary(placeBid, 'application/proto', bytes, headers))
      await expectRefused(() => grpc(placeBid, frame(bytes, 1), { 'grpc-encoding': 'gzip' }))
      await expectRefused(() => grpcWeb(placeBid, frame(bytes, 1), { 'grpc-encoding': 'gzip' }))
    }
    const unknown = await unary(placeBid, 'application/proto', good, { 'content-encoding': 'lzma' })
    expect(unknown).toMatchObject({ code: Code.Unimplemented })
    expect(unknown.message).toContain('gzip')
  })

  test('too large: the same words in pieces and in details, and none to come again', async () => {
    const pieces = async function* () {
      yield Buffer.alloc(70_000, ' ')
    }
    const init = { method: 'POST', headers: { 'content-type': 'application/json' } } as const
    const body = ReadableStream.from(pieces())
    const response = await fetch(server.url + placeBid, { ...init, body, duplex: 'half' })
    const message = 'the message is larger than 65536 bytes'
    expect(response.status).toBe(413)
    expect(await response.json()).toEqual({ code: 'resource_exhausted', message })
    for (const createTransport of [createGrpcTransport, createGrpcWebTransport]) {
      const transport = createTransport({ baseUrl: server.url, httpVersion: '2' })
      const client = createClient(BidService, transport)
      const error = await client.placeBid({ itemId: 'x'.repeat(70_000) }).catch(ConnectError.from)
      const rawMessage = message
      expect(error).toMatchObject({ code: Code.ResourceExhausted, rawMessage, details: [] })
    }
  })

  test('a procedure nobody knows here: UNIMPLEMENTED, in the protocol that asked', async () => {
    for (const type of ['application/grpc-web', 'application/grpc']) {
      const { headers } = await post('/a.B/C', `${type}+proto`, frame(good))
      expect([headers.get('content-type'), headers.get('grpc-status')]).toEqual([type, '12'])
    }
  })

  test('a message in an address that is no base64, no percent-encoding, no UTF-8', async () => {
    const get = async (query: string): Promise<Answer> => {
      const response = await fetch(`${server.url}/bids.v1.BidService/ListItems?${query}`)
      const error = (await response.json()) as { message: string }
      return { code: codeOf(error), message: error.message, status: response.status }
    }
    const queries = [
      'encoding=proto&base64=1&message=%21%21',
      'encoding=proto&base64=1&message=____',
      'encoding=json&message=%7B%22seller_id%22%3A%22%ff%22%7D',
      'encoding=json&message=%',
      'encoding=json&message=%7B',
      'encoding=json',
      'encoding=xml&message=%7B%7D',
      '',
    ]
    for (const query of queries) await expectRefused(() => get(query))
    const fine = await get('encoding=json&message=%7B%7D')
    expect(fine.status).toBe(200)
  })

  test('no content type, or one of something else: 415 in words', async () => {
    for (const type of [undefined, 'text/plain', 'application/xml', 'application/grpc-web-text']) {
      const response = await post(placeBid, type, Buffer.from('{}'))
      const text = await response.text()
      expect([response.status, JSON.parse(text)]).toMatchObject([
        415,
        { code: 'invalid_argument', message: expect.stringContaining('application/json') },
      ])
      expect(text.endsWith('}\n')).toBe(true)
    }
  })

  test('a method nobody knows here: 405 in words', async () => {
    for (const method of ['GET', 'PUT', 'DELETE', 'PATCH']) {
      const response = await fetch(server.url + placeBid, { method })
      expect([response.status, response.headers.get('allow')]).toEqual([405, 'POST'])
      expect(await response.json()).toMatchObject({ message: expect.stringContaining('POST') })
    }
  })

  test('every answer is a line of its own in a terminal', async () => {
    for (const path of ['/', '/healthz', '/readyz', '/metrics', '/nowhere', '/a.B/C', placeBid])
      expect(await (await fetch(server.url + path)).text()).toMatch(/\n$/)
    const bid = { item_id: id, amount: 100, user_id: 'ann' }
    for (const body of [bid, { ...bid, amount: 0 }]) {
      const answer = await post(placeBid, 'application/json', Buffer.from(JSON.stringify(body)))
      expect(await answer.text()).toMatch(/\n$/)
    }
  })
})

// https://www.rfc-editor.org/rfc/rfc9113#name-frame-format
const [DATA, HEADERS, RST_STREAM, SETTINGS, END_HEADERS] = [0, 1, 3, 4, 4] as const

function http2Frame(type: number, flags: number, payload: Uint8Array, streamId = 1): Buffer {
  const head = Buffer.alloc(9)
  head.writeUIntBE(payload.length, 0, 3)
  head.writeUInt8(type, 3)
  head.writeUInt8(flags, 4)
  head.writeUInt32BE(streamId, 5)
  return Buffer.concat([head, payload])
}

/** A header that is not to be remembered: RFC 7541, 6.2.2. */
function literal(name: string, value: string): Buffer {
  return Buffer.from(
    `\0${String.fromCharCode(name.length)}${name}${String.fromCharCode(value.length)}${value}`,
    'latin1',
  )
}

describe('what the unary responder must not miss', () => {
  const good = toBinary(
    PlaceBidRequestSchema,
    create(PlaceBidRequestSchema, { itemId: id, amount: 1n, userId: 'ann' }),
  )

  test('a question mark in a query is part of the message', async () => {
    const ask = (query: string) => fetch(`${server.url}/bids.v1.BidService/ListItems?${query}`)
    const before = handled
    expect((await ask('encoding=json&message={"category":"a?b"}')).status).toBe(200)
    expect(handled).toBe(before + 1)
    // A message that goes on behind it is not a shorter one.
    expect((await ask('encoding=json&message={}?x')).status).toBe(400)
  })

  test('half a character in the name of a field is refused like any other name, in every protocol', async () => {
    const bytes = Buffer.from(String.raw`{"\ud800":1}`)
    refused(await unary(placeBid, 'application/json', bytes))
    const type = { 'content-type': 'application/grpc+json' }
    refused(await grpc(placeBid, frame(bytes), type))
    const web = await post(placeBid, 'application/grpc-web+json', frame(bytes))
    expect(await lastFrame(web)).toContain('grpc-status: 3')
  })

  test('a stream that is reset without an error in the middle of its body is no shorter message', async () => {
    // By hand, because Node's client would end the stream first.
    const before = handled
    const socket = connectTcp({ host: '127.0.0.1', port: server.port })
    const head = {
      ':method': 'POST',
      ':scheme': 'http',
      ':path': placeBid,
      ':authority': 'localhost',
      'content-type': 'application/proto',
    }
    const block = Object.entries(head).map(([name, value]) => literal(name, value))
    const reset = Buffer.alloc(4)
    socket.write('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n')
    socket.write(http2Frame(SETTINGS, 0, Buffer.alloc(0), 0))
    socket.write(http2Frame(HEADERS, END_HEADERS, Buffer.concat(block)))
    socket.write(http2Frame(DATA, 0, good))
    // The server has begun to read.
    await sleep(100)
    socket.write(http2Frame(RST_STREAM, 0, reset))
    await sleep(100)
    expect(socket.destroyed).toBe(false)
    socket.destroy()
    expect(handled).toBe(before)
  })

  test('a deadline that passes while the body is on its way is told then', async () => {
    const head = [
      `POST ${placeBid} HTTP/1.1`,
      'host: localhost',
      'content-type: application/json',
      'content-length: 100',
      'connect-timeout-ms: 50',
    ]
    const socket = connectTcp({ host: '127.0.0.1', port: server.port })
    socket.write(`${head.join('\r\n')}\r\n\r\n{`)
    const [answer] = (await once(socket, 'data')) as [Buffer]
    expect(answer.toString()).toMatch(/^HTTP\/1.1 504[^]*deadline_exceeded/)
    socket.destroy()
  })
})
