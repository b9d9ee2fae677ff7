/** Redis may vanish at any moment; what must hold is how fast that is noticed, and that it comes back. */
import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'
import { afterEach, expect, inject, test } from 'vitest'
import { createLog } from '../process/log.ts'
import { connectRedis, listenRedis, redisUp } from './redis.ts'
import { eventually } from '../testing/eventually.ts'
import { startTcpProxy } from '../testing/tcp-proxy.ts'
import { quietLog } from '../testing/test-server.ts'

const cleanups: (() => unknown)[] = []
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).toReversed()) await cleanup()
})

async function startProxy() {
  const proxy = await startTcpProxy(inject('redisUrl'))
  return { proxy, address: new URL(proxy.url) }
}

async function start() {
  const { proxy, address } = await startProxy()
  const lines: string[] = []
  const destination = { write: (line: string) => lines.push(line) }
  const log = createLog({ name: 'test', level: 'info', destination })
  const redis = await connectRedis(address.href, { log, keyPrefix: `test:${randomUUID()}:` })
  cleanups.push(proxy.close, () => redis.disconnect())
  const said = (): unknown[] => lines.map((line) => (JSON.parse(line) as { msg: string }).msg)
  return { proxy, redis, said }
}

async function failureOf(work: Promise<unknown>): Promise<{ ms: number }> {
  const startedAt = performance.now()
  await expect(work).rejects.toThrow()
  return { ms: performance.now() - startedAt }
}

test('unavailable: commands fail at once and once is said so; back: it works again by itself', async () => {
  const { proxy, redis, said } = await start()
  await eventually(() => redisUp(redis))
  await redis.set('a', '1', 'EX', 60)
  await proxy.refuse()
  await eventually(() => !redisUp(redis))
  expect((await failureOf(redis.get('a'))).ms).toBeLessThan(50)
  // Several attempts to reconnect later it has still been said once.
  let attempts = 0
  redis.on('reconnecting', () => (attempts += 1))
  await eventually(() => attempts >= 3)
  expect(said()).toEqual(['Redis is connected', 'Redis is unavailable: going on without it'])
  await proxy.listen()
  await eventually(() => redisUp(redis))
  expect(await redis.get('a')).toBe('1')
  expect(said().slice(2)).toEqual(['Redis is back'])
})

test('silent: a command gives up after its limit', async () => {
  const { proxy, redis } = await start()
  await eventually(() => redisUp(redis))
  proxy.freeze()
  const { ms } = await failureOf(redis.get('a'))
  expect(ms).toBeGreaterThanOrEqual(150)
  expect(ms).toBeLessThan(1_000)
  proxy.thaw()
  await eventually(() => redis.ping())
})

test('a black hole: commands fail at their limit, and soon there is another connection', async () => {
  const { proxy, redis } = await start()
  await eventually(() => redisUp(redis))
  await redis.set('a', '1', 'EX', 60)
  proxy.swallow()
  const startedAt = performance.now()
  expect((await failureOf(redis.get('a'))).ms).toBeLessThan(1_000)
  await eventually(async () => expect(await redis.get('a')).toBe('1'))
  expect(performance.now() - startedAt).toBeLessThan(5_000)
  expect(proxy.open()).toBe(1)
})

test('never there: connecting neither throws nor blocks, and the process is told once', async () => {
  const { proxy, redis, said } = await start()
  await proxy.refuse()
  await failureOf(redis.get('a'))
  await eventually(() => said().length > 0)
  expect(redisUp(redis)).toBe(false)
})

async function startListener({ pingMs = 5_000, port = 0 } = {}) {
  const { proxy, address } = await startProxy()
  if (port > 0) address.port = String(port)
  const channel = `test:${randomUUID()}`
  const heard: string[] = []
  const changes: boolean[] = []
  const listener = await listenRedis(address.href, {
    log: quietLog,
    channel,
    onMessage: (message) => heard.push(message),
    onListening: (listening) => changes.push(listening),
    pingMs,
  })
  const direct = await connectRedis(inject('redisUrl'), { log: quietLog })
  cleanups.push(proxy.close, listener.close, () => direct.disconnect())
  await eventually(() => redisUp(direct))
  const publish = async (message: string) => await direct.publish(channel, message)
  return { proxy, listener, direct, channel, heard, changes, publish }
}

test('a listener hears again after its connection broke', async () => {
  const { proxy, listener, heard, changes, publish } = await startListener()
  await eventually(() => changes.length === 1)
  proxy.cut()
  await eventually(() => changes.length === 3)
  expect(changes).toEqual([true, false, true])
  await publish('after')
  await listener.settled()
  expect(heard).toEqual(['after'])
})

test('a listener hears again after its connection broke while it was coming back', async () => {
  // What ioredis's own resubscribing does not survive.
  const address = new URL(inject('redisUrl'))
  let cutsLeft = 0
  const relay = createServer((client) => {
    const upstream = connect(Number(address.port || 6379), address.hostname)
    client.on('error', () => undefined).on('close', () => upstream.destroy())
    upstream.on('error', () => undefined).on('close', () => client.destroy())
    upstream.on('data', (bytes) => client.write(bytes))
    client.on('data', (bytes) => {
      const cut = cutsLeft > 0 && bytes.toString().includes('subscribe')
      if (cut) cutsLeft -= 1
      if (cut) client.destroy()
      else upstream.write(bytes)
    })
    if (cutsLeft === 0) sockets.push(client)
  })
  const sockets: Socket[] = []
  relay.listen(0, '127.0.0.1')
  await once(relay, 'listening')
  cleanups.push(() => relay.close())
  const { port } = relay.address() as AddressInfo
  const { listener, heard, changes, publish } = await startListener({ port })
  await eventually(() => changes.length === 1)
  cutsLeft = 3
  for (const socket of sockets) socket.destroy()
  await eventually(() => changes.length === 3)
  expect(cutsLeft).toBe(0)
  await publish('after')
  await listener.settled()
  expect(heard).toEqual(['after'])
})

test('settled: what was published before has come', async () => {
  const { listener, heard, changes, publish } = await startListener()
  await eventually(() => changes.length === 1)
  for (let round = 0; round < 10; round += 1) {
    await publish(`message ${round}`)
    await listener.settled()
    expect(heard.at(-1)).toBe(`message ${round}`)
  }
})

test('a listener leaves a connection that has fallen silent', async () => {
  const { proxy, listener, changes, heard, publish } = await startListener({ pingMs: 100 })
  await eventually(() => changes.length === 1)
  proxy.freeze()
  await eventually(() => changes.at(-1) === false)
  proxy.thaw()
  await eventually(() => changes.at(-1) === true)
  await publish('after')
  await listener.settled()
  expect(heard).toEqual(['after'])
  expect(changes).toEqual([true, false, true])
})

test('a closed listener says nothing more', async () => {
  const { listener, direct, channel, heard, changes, publish } = await startListener()
  await eventually(() => changes.length === 1)
  listener.close()
  await eventually(async () => (await direct.publish(channel, 'who hears?')) === 0)
  await publish('late')
  expect(heard).not.toContain('late')
  expect(changes).toEqual([true])
})
