/** What becomes of calls that fail, as a server sees it. */
import { create, type DescMethod, type DescMethodUnary } from '@bufbuild/protobuf'
import { durationFromMs } from '@bufbuild/protobuf/wkt'
import {
  BidRejectionReason,
  BidRejectionSchema,
  BidService,
} from '@bidmesh/gen/bids/v1/bid_service_pb.ts'
import { ErrorInfoSchema, RetryInfoSchema } from '@bidmesh/gen/google/rpc/error_details_pb.ts'
import { LiveService } from '@bidmesh/gen/live/v1/live_service_pb.ts'
import { UserStatsService } from '@bidmesh/gen/userstats/v1/user_stats_service_pb.ts'
import { Code, ConnectError, createRouterTransport, type HandlerContext } from '@connectrpc/connect'
import { describe, expect, it } from 'vitest'
import { createBidmeshClient } from './bidmesh-client.ts'
import type { CallPolicy } from './call-policy.ts'
import { bidRejectionOf } from './bid-rejection.ts'
import { retryDelayMsOf } from './errors.ts'
import { safeCall } from './safe-calls.ts'

type Received = { method: string; key: string; token: string | null; leftMs: number }

/** Fails with each of the errors in turn, then answers; `hang` never does. */
function clientOf(failures: readonly (ConnectError | 'hang')[], policy: CallPolicy = {}) {
  const received: Received[] = []
  const left = [...failures]
  async function answer<Answer>(
    method: string,
    key: string,
    context: HandlerContext,
    made: Answer,
  ) {
    const token = context.requestHeader.get('authorization')
    received.push({ method, key, token, leftMs: context.timeoutMs() ?? Infinity })
    const next = left.shift()
    if (next === 'hang') await new Promise((done) => context.signal.addEventListener('abort', done))
    else if (next) throw next
    return made
  }
  const transport = createRouterTransport((router) => {
    router.service(BidService, {
      getItem: ({ id }, context) => answer('getItem', '', context, { item: { id } }),
      placeBid: ({ idempotencyKey, amount }, context) =>
        answer('placeBid', idempotencyKey, context, { bid: { amount } }),
      cancelItem: (_, context) => answer('cancelItem', '', context, {}),
    })
  })
  const options = { baseUrl: '', transport, random: () => 0, ...policy }
  return { client: createBidmeshClient(options), received }
}

function failure(code: Code, retryDelayMs?: number): ConnectError {
  const info = retryDelayMs === undefined ? [] : [{ retryDelay: durationFromMs(retryDelayMs) }]
  const details = info.map((value) => ({
    desc: RetryInfoSchema,
    value: create(RetryInfoSchema, value),
  }))
  return new ConnectError('not now', code, undefined, details)
}

const codeOf = async (call: Promise<unknown>) =>
  await call.then(
    () => 'answered',
    (error: unknown) => Code[ConnectError.from(error).code],
  )

it('knows by their descriptors what may be sent twice', () => {
  const isUnary = (method: DescMethod): method is DescMethodUnary => method.methodKind === 'unary'
  const all = [BidService, UserStatsService, LiveService].flatMap(({ methods }) => methods)
  const [safe, unsafe] = [true, false].map((kind) =>
    all.filter((method) => isUnary(method) && safeCall(method, {}).isSafe === kind),
  )
  expect(unsafe?.map(({ name }) => name)).toEqual([
    'UpdateItem',
    'CancelItem',
    'ExtendItem',
    'EndItemNow',
    'SendChatMessage',
    'IssueStreamTicket',
  ])
  const names = safe?.map(({ name }) => name)
  for (const name of ['PlaceBid', 'CreateItem', 'GetItem', 'GetUserStats', 'ListTopBids']) {
    expect(names).toContain(name)
  }
})

it.each([
  { name: 'unavailable', errors: [failure(Code.Unavailable, 20)], calls: 2 },
  { name: 'lock not granted', errors: [failure(Code.Aborted, 20)], calls: 2 },
  { name: 'overloaded', errors: [failure(Code.ResourceExhausted, 20)], calls: 2 },
  { name: 'too large', errors: [failure(Code.ResourceExhausted)], calls: 1 },
  { name: 'not found', errors: [failure(Code.NotFound)], calls: 1 },
  { name: 'a fault of the server', errors: [failure(Code.Internal)], calls: 1 },
  {
    name: 'ever again',
    errors: Array.from({ length: 9 }, () => failure(Code.Unavailable)),
    calls: 4,
  },
])('$name: a read is asked $calls times', async ({ errors, calls }) => {
  const { client, received } = clientOf(errors)
  const outcome = await codeOf(client.bids.getItem({ id: 'a' }))
  expect(received).toHaveLength(calls)
  const last = errors[calls - 1]
  expect(outcome).toBe(last ? Code[last.code] : 'answered')
})

it('asks again when the connection broke before its answer, or within it', async () => {
  const json = { 'content-type': 'application/json' }
  const broken = new ReadableStream({ pull: (body) => body.error(new TypeError('terminated')) })
  const answers = [
    () => Promise.reject(new TypeError('fetch failed')),
    async () => new Response(broken, { headers: json }),
    async () => new Response('<h1>Bad Gateway</h1>', { status: 502 }),
    async () => new Response('{"item": {"title": "Lamp"}}', { headers: json }),
  ]
  const fetch = () => answers.shift()?.() ?? Promise.reject(new Error('asked too often'))
  const client = createBidmeshClient({ baseUrl: 'http://nowhere', fetch, random: () => 0 })
  expect((await client.bids.getItem({ id: 'a' })).item?.title).toBe('Lamp')
  expect(answers).toEqual([])

  const away = () => Promise.reject(new TypeError('fetch failed'))
  const lonely = createBidmeshClient({ baseUrl: 'http://nowhere', fetch: away, random: () => 0 })
  expect(await codeOf(lonely.bids.getItem({ id: 'a' }))).toBe('Unavailable')
})

it('waits for as long as the server says', async () => {
  const { client } = clientOf([failure(Code.Unavailable, 150), failure(Code.Aborted, 100)])
  const startMs = performance.now()
  await client.bids.getItem({ id: 'a' })
  expect(performance.now() - startMs).toBeGreaterThanOrEqual(249)
})

it('sends what has effects once', async () => {
  const { client, received } = clientOf([failure(Code.Unavailable, 1)])
  expect(await codeOf(client.bids.cancelItem({ id: 'a' }))).toBe('Unavailable')
  expect(received).toHaveLength(1)
})

it('sends a bid again with its key, and makes one where there is none', async () => {
  const { client, received } = clientOf([failure(Code.Unavailable, 1), failure(Code.Aborted, 1)])
  const mine = { itemId: 'a', amount: 5n }
  await client.bids.placeBid(mine)
  await client.bids.placeBid(mine)
  await client.bids.placeBid({ ...mine, idempotencyKey: 'own' })
  const [first, second, third, other, own] = received.map(({ key }) => key)
  expect(first).toMatch(/^[\da-f]{32}$/)
  expect([second, third]).toEqual([first, first])
  expect(other).not.toBe(first)
  expect(own).toBe('own')
  // The caller's request is theirs.
  expect(mine).toEqual({ itemId: 'a', amount: 5n })
})

it('asks for the token anew with each try', async () => {
  let tokens = 0
  const token = async () => `t${(tokens += 1)}`
  const { client, received } = clientOf([failure(Code.Unavailable, 1)], { token })
  await client.bids.getItem({ id: 'a' })
  expect(received.map((call) => call.token)).toEqual(['Bearer t1', 'Bearer t2'])
})

describe('a token that the server refuses', () => {
  const refusal = (reason: string) =>
    new ConnectError('who?', Code.Unauthenticated, undefined, [
      { desc: ErrorInfoSchema, value: { reason, domain: 'bidmesh' } },
    ])
  const expired = refusal('TOKEN_EXPIRED')

  it('is renewed, and the very same call sent once more, safe to repeat or not', async () => {
    const asked: (string | undefined)[] = []
    const token = (refused?: string) => {
      asked.push(refused)
      return refused === undefined ? 'old' : 'new'
    }
    const { client, received } = clientOf([expired], { token })
    await client.bids.placeBid({ itemId: 'a', amount: 5n })
    expect(received.map((call) => call.token)).toEqual(['Bearer old', 'Bearer new'])
    expect(received[1]?.key).toBe(received[0]?.key)
    expect(asked).toEqual([undefined, 'old'])
    const once = clientOf([expired], { token })
    await once.client.bids.cancelItem({ id: 'a' })
    expect(once.received).toHaveLength(2)
  })

  it.each([
    ['that is new is not renewed again', [expired, expired], (old?: string) => `${old ?? ''}x`, 2],
    ['and cannot be renewed is the answer', [expired], () => 'same', 1],
    [
      'for which there is none any more as well',
      [expired],
      (old?: string) => (old ? undefined : 'x'),
      1,
    ],
    ['is another thing than none', [refusal('TOKEN_MISSING')], () => 'x', 1],
  ])('%s', async (_, failures, token, calls) => {
    const { client, received } = clientOf(failures, { token })
    expect(await codeOf(client.bids.placeBid({ itemId: 'a', amount: 5n }))).toBe('Unauthenticated')
    expect(received).toHaveLength(calls)
  })

  it('of a stream that has ended with it is renewed before the next begins', async () => {
    const shown: (string | null)[] = []
    const transport = createRouterTransport((router) => {
      router.service(LiveService, {
        async *watchItems(_, context) {
          shown.push(context.requestHeader.get('authorization'))
          if (shown.length < 3) throw expired
          yield {}
        },
      })
    })
    let tokens = 0
    const token = (refused?: string) => `t${refused === undefined ? tokens : (tokens += 1)}`
    const client = createBidmeshClient({ baseUrl: '', transport, token, random: () => 0 })
    // The server refuses the second as well: such a stream is over, and says so.
    const messages = client.watchItems({})
    await expect(messages.next()).rejects.toMatchObject({ code: Code.Unauthenticated })
    expect(shown).toEqual(['Bearer t0', 'Bearer t1'])
    await client.watchItems({}).next()
    expect(shown.at(-1)).toBe('Bearer t2')
  })

  it('nobody in particular shows none', async () => {
    const { client, received } = clientOf([], { token: () => undefined })
    await client.bids.getItem({ id: 'a' })
    expect(received[0]?.token).toBeNull()
  })
})

it('has a deadline, which every try is told what is left of', async () => {
  const hanging = clientOf(['hang', 'hang', 'hang'], { timeoutMs: 300, attemptTimeoutMs: 120 })
  const startMs = performance.now()
  expect(await codeOf(hanging.client.bids.getItem({ id: 'a' }))).toBe('DeadlineExceeded')
  const tookMs = performance.now() - startMs
  expect(tookMs).toBeGreaterThan(200)
  expect(tookMs).toBeLessThan(450)
  const [first, second, third] = hanging.received.map(({ leftMs }) => leftMs)
  expect(first).toBeLessThanOrEqual(120)
  expect(second).toBeLessThanOrEqual(120)
  expect(third).toBeLessThanOrEqual(60)

  // What has effects is given all the time there is, at once.
  const once = clientOf(['hang'], { timeoutMs: 200, attemptTimeoutMs: 50 })
  expect(await codeOf(once.client.bids.cancelItem({ id: 'a' }))).toBe('DeadlineExceeded')
  expect(once.received[0]?.leftMs).toBeGreaterThan(150)
})

it('does not begin to wait for what would come too late', async () => {
  const { client, received } = clientOf([failure(Code.Unavailable, 1_000)])
  const startMs = performance.now()
  expect(await codeOf(client.bids.getItem({ id: 'a' }, { timeoutMs: 500 }))).toBe('Unavailable')
  expect(performance.now() - startMs).toBeLessThan(400)
  expect(received).toHaveLength(1)
})

it('ends at once when its caller leaves', async () => {
  const { client, received } = clientOf([failure(Code.Unavailable, 5_000)])
  const leaving = new AbortController()
  setTimeout(() => leaving.abort(), 50)
  const startMs = performance.now()
  const call = client.bids.getItem({ id: 'a' }, { signal: leaving.signal })
  expect(await codeOf(call)).not.toBe('answered')
  expect(performance.now() - startMs).toBeLessThan(1_000)
  expect(received).toHaveLength(1)
})

it('asks a server that is away little more than once for each call', async () => {
  const away = Array.from({ length: 1_000 }, () => failure(Code.Unavailable))
  const { client, received } = clientOf(away)
  await Promise.all(Array.from({ length: 300 }, () => codeOf(client.bids.getItem({ id: 'a' }))))
  // A tenth, what was saved, and what a moment brings.
  expect(received.length).toBeGreaterThanOrEqual(320)
  expect(received.length).toBeLessThanOrEqual(355)
})

it('has words for a rejected bid', async () => {
  const value = create(BidRejectionSchema, {
    reason: BidRejectionReason.TOO_LOW,
    minimumNextBid: 700n,
  })
  const details = [{ desc: BidRejectionSchema, value }]
  const { client } = clientOf([
    new ConnectError('too low', Code.FailedPrecondition, undefined, details),
  ])
  const error: unknown = await client.bids
    .placeBid({ itemId: 'a' })
    .catch((reason: unknown) => reason)
  expect(bidRejectionOf(error)).toMatchObject({
    reason: BidRejectionReason.TOO_LOW,
    minimumNextBid: 700n,
  })
  expect(retryDelayMsOf(error)).toBeUndefined()
  expect(bidRejectionOf(new Error('other'))).toBeUndefined()
})
