/** Calls to services that vanish, fall silent or are not there yet, through real sockets. */
import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import { Socket } from 'node:net'
import { create } from '@bufbuild/protobuf'
import { BidService } from '@bidmesh/gen/bids/v1/bid_service_pb.ts'
import { ErrorInfoSchema } from '@bidmesh/gen/google/rpc/error_details_pb.ts'
import {
  Code,
  ConnectError,
  type Client,
  type ConnectRouter,
  createClient,
} from '@connectrpc/connect'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { freePort } from '../process/free-port.ts'
import { messageOf, TransientError } from '../process/errors.ts'
import { startTcpProxy, type TcpProxy } from '../testing/tcp-proxy.ts'
import { quietLog, startTestServer } from '../testing/test-server.ts'
import { errorInfo } from './error-info.ts'
import type { Server } from '../server/server.ts'
import { answerWhileStarting } from '../server/starting-server.ts'
import { callInProcess, connectService, within } from './service-client.ts'

const cleanups: (() => unknown)[] = []
let calls: string[]
/** What the last call was told of its deadline. */
let leftMs: number | undefined
/** What the service `front` asks. */
let behind: Client<typeof BidService>

beforeEach(() => {
  calls = []
})
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).toReversed()) await cleanup()
})

/** Says its name as the title of every item; the item `missing` is not found, and `slow` takes its time. */
function component(name: string) {
  return {
    name,
    services: [BidService],
    routes: (router: ConnectRouter) =>
      router.service(BidService, {
        async getItem({ id }, context) {
          calls.push(name)
          leftMs = context.timeoutMs()
          if (name === 'busy') throw new ConnectError('too much to do', Code.ResourceExhausted)
          if (name === 'front') return await behind.getItem({ id }, within(context))
          if (id.endsWith('1')) {
            const headers = { 'x-of-the-other': 'secret' }
            const details = [errorInfo('item_not_found')]
            throw new ConnectError('no item has this id', Code.NotFound, headers, details)
          }
          if (id.endsWith('2')) await new Promise((done) => setTimeout(done, 3_000))
          return { item: { title: name } }
        },
      }),
    check: async () => undefined,
    stop: async () => undefined,
  }
}

const any = '00000000-0000-4000-8000-000000000000'
const missing = '00000000-0000-4000-8000-000000000001'
const slow = '00000000-0000-4000-8000-000000000002'

async function serve(name: string): Promise<Server> {
  const server = await startTestServer([component(name)])
  cleanups.push(server.stop)
  return server
}

async function proxied(name: string): Promise<TcpProxy> {
  const { url } = await serve(name)
  const proxy = await startTcpProxy(url)
  cleanups.push(proxy.close)
  return proxy
}

function clientOf(...urls: string[]) {
  const { transport, close } = connectService('bid', urls)
  cleanups.push(close)
  return createClient(BidService, transport)
}

const titleOf = async (client: ReturnType<typeof clientOf>) =>
  (await client.getItem({ id: any })).item?.title

describe('an answer', () => {
  it('of either kind of call', async () => {
    const { url } = await serve('one')
    expect(await titleOf(clientOf(url))).toBe('one')
    const inside = createClient(BidService, callInProcess(component('within'), quietLog))
    expect((await inside.getItem({ id: any })).item?.title).toBe('within')
  })

  it('that is a rejection comes with its reason, without headers, and is not asked for again', async () => {
    const { url } = await serve('one')
    const error = await clientOf(url).getItem({ id: missing }).catch(ConnectError.from)
    expect(error).toMatchObject({ code: Code.NotFound, rawMessage: 'no item has this id' })
    const found = error instanceof ConnectError ? error.findDetails(ErrorInfoSchema) : []
    expect(found).toMatchObject([
      create(ErrorInfoSchema, { reason: 'ITEM_NOT_FOUND', domain: 'bidmesh' }),
    ])
    expect(error instanceof ConnectError && [...error.metadata.keys()]).toEqual([])
    expect(calls).toEqual(['one'])
  })

  it('to a question that breaks a rule says so', async () => {
    const { url } = await serve('one')
    const outside = clientOf(url)
    const inside = createClient(BidService, callInProcess(component('within'), quietLog))
    for (const client of [outside, inside]) {
      await expect(client.getItem({ id: 'no id' })).rejects.toMatchObject({
        code: Code.InvalidArgument,
      })
    }
    expect(calls).toEqual([])
  })
})

it('has no more time than the call that it is made for', async () => {
  behind = clientOf((await serve('behind')).url)
  const front = clientOf((await serve('front')).url)
  await front.getItem({ id: any }, { timeoutMs: 700 })
  expect(calls).toEqual(['front', 'behind'])
  expect(leftMs).toBeGreaterThan(0)
  expect(leftMs).toBeLessThanOrEqual(700)
  const startMs = performance.now()
  await expect(front.getItem({ id: slow }, { timeoutMs: 300 })).rejects.toThrow()
  expect(performance.now() - startMs).toBeLessThan(1_500)
})

it('leaves an address alone that does not answer, but for a look now and then', async () => {
  const client = clientOf((await serve('busy')).url, (await serve('two')).url)
  const answers: unknown[] = []
  for (let count = 0; count < 40; count += 1) answers.push(await titleOf(client))
  expect(new Set(answers)).toEqual(new Set(['two']))
  const asked = calls.filter((name) => name === 'busy').length
  expect(asked).toBeGreaterThanOrEqual(5)
  expect(asked).toBeLessThanOrEqual(8)
})

it('hears the error of a connection also when a call asks for another at that moment', async () => {
  const sockets: Socket[] = []
  const note = (message: unknown): void => {
    if (typeof message !== 'object' || message === null || !('socket' in message)) return
    if (message.socket instanceof Socket) sockets.push(message.socket)
  }
  subscribe('net.client.socket', note)
  cleanups.push(() => unsubscribe('net.client.socket', note))
  const client = clientOf((await serve('one')).url)
  await titleOf(client)
  const [socket] = sockets
  // The session has ended by now, and is about to say why: connect-node 2.2.0 had stopped listening by then.
  const asked = new Promise((resolve) => {
    socket?.once('error', () => resolve(titleOf(client)))
  })
  socket?.destroy(new Error('reset'))
  expect(await asked).toBe('one')
  expect(sockets.length).toBeGreaterThan(1)
})

describe('without an answer', () => {
  it('the next address is asked, of two calls in turn as well', async () => {
    const gone = `http://127.0.0.1:${await freePort()}`
    const { url } = await serve('two')
    const client = clientOf(gone, url)
    expect([await titleOf(client), await titleOf(client)]).toEqual(['two', 'two'])
  })

  it('a connection that was lost is replaced', async () => {
    const proxy = await proxied('one')
    const client = clientOf(proxy.url)
    await titleOf(client)
    proxy.cut()
    expect(await titleOf(client)).toBe('one')
  })

  it.each(['open', 'open and idle for a while'])(
    'a connection that has become a black hole is replaced within seconds: %s',
    async (kind) => {
      const proxy = await proxied('one')
      const client = clientOf(proxy.url)
      await titleOf(client)
      if (kind !== 'open') await new Promise((done) => setTimeout(done, 1_200))
      proxy.swallow()
      const startedMs = performance.now()
      expect(await titleOf(client)).toBe('one')
      expect(performance.now() - startedMs).toBeLessThan(4_000)
    },
  )

  it('an address that swallows connections is given up, for another', async () => {
    const frozen = await proxied('one')
    frozen.freeze()
    const { url } = await serve('two')
    expect(await titleOf(clientOf(frozen.url, url))).toBe('two')
  })

  it('a process that still starts is passed over', async () => {
    const port = await freePort()
    const { close } = await answerWhileStarting({ host: '127.0.0.1', port, log: quietLog })
    cleanups.push(close)
    const { url } = await serve('two')
    const starting = `http://127.0.0.1:${port}`
    const client = clientOf(starting, url)
    // Each is the first to be asked once.
    expect([await titleOf(client), await titleOf(client)]).toEqual(['two', 'two'])
    await expect(titleOf(clientOf(starting))).rejects.toThrow('the bid service is unavailable')
  })

  it('whoever asks is told that the service is unavailable, and not where it was', async () => {
    const client = clientOf(`http://127.0.0.1:${await freePort()}`)
    const error = await client.getItem({ id: any }).catch((thrown: unknown) => thrown)
    expect(error).toBeInstanceOf(TransientError)
    expect(messageOf(error)).toContain('the bid service is unavailable')
  })

  it('within seconds the wait is over, however long the answer takes', async () => {
    const { url } = await serve('one')
    const startedMs = performance.now()
    await expect(clientOf(url).getItem({ id: slow })).rejects.toBeInstanceOf(TransientError)
    expect(performance.now() - startedMs).toBeLessThan(6_000)
    expect(calls).toEqual(['one', 'one'])
  }, 10_000)

  it('a caller who leaves is not held, nor asked for again', async () => {
    const { url } = await serve('one')
    const signal = AbortSignal.timeout(100)
    await expect(clientOf(url).getItem({ id: slow }, { signal })).rejects.toThrow()
    expect(calls).toEqual(['one'])
  })
})
