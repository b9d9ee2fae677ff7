/** Both stores of tickets keep the same promises; what only one can show has its own test. */
import { connectRedis, redisUp } from '@bidmesh/platform/redis/redis.ts'
import { TransientError } from '@bidmesh/platform/process/errors.ts'
import { eventually } from '@bidmesh/platform/testing/eventually.ts'
import { freePort } from '@bidmesh/platform/process/free-port.ts'
import { quietLog } from '@bidmesh/platform/testing/test-server.ts'
import { afterEach, describe, expect, inject, it } from 'vitest'
import { createMemoryTickets, createRedisTickets, principalOf, TICKET_LIFE_MS } from './tickets.ts'

const undo: (() => void)[] = []
afterEach(() => undo.splice(0).forEach((step) => step()))

async function redis(url = inject('redisUrl')) {
  const connection = await connectRedis(url, { log: quietLog })
  undo.push(() => connection.disconnect())
  return connection
}

async function redisThatAnswers() {
  const connection = await redis()
  await eventually(() => expect(redisUp(connection)).toBe(true))
  return connection
}

describe.each(['memory', 'Redis'])('tickets in %s', (store) => {
  const open = async () =>
    store === 'memory' ? createMemoryTickets() : createRedisTickets(await redisThatAnswers())

  it('are good once', async () => {
    const tickets = await open()
    const holder = { userId: 'ann with a space', expiresAtMs: 1_764_000_000_123 }
    const { ticket, expiresAtMs } = await tickets.issue(holder)
    expect(ticket).toMatch(/^[\w-]{43}$/)
    expect(expiresAtMs).toBeGreaterThan(Date.now() + TICKET_LIFE_MS - 5_000)
    expect(await tickets.redeem(ticket)).toEqual(holder)
    expect(await tickets.redeem(ticket)).toBeUndefined()
  })

  it('are good once, however many show one at the same time', async () => {
    const tickets = await open()
    const { ticket } = await tickets.issue({ userId: 'ann', expiresAtMs: null })
    const all = await Promise.all(Array.from({ length: 20 }, () => tickets.redeem(ticket)))
    expect(all.filter((holder) => holder)).toEqual([{ userId: 'ann', expiresAtMs: null }])
  })

  it('are none when nobody has issued them', async () => {
    const tickets = await open()
    for (const ticket of ['', 'x', 'x'.repeat(43), '*', '\0'])
      expect(await tickets.redeem(ticket)).toBeUndefined()
  })
})

it('a ticket lets its holder do what needs no role, until their token ends', () => {
  expect(principalOf({ userId: 'ann', expiresAtMs: 7 })).toEqual({
    kind: 'identified',
    roles: new Set(),
    subject: 'ann',
    expiresAtMs: 7,
  })
  expect(principalOf({ userId: 'ann', expiresAtMs: null })).toMatchObject({
    expiresAtMs: undefined,
  })
})

it('a ticket of memory ends after 30 s, and makes room for others', async () => {
  let nowMs = 1_000
  const tickets = createMemoryTickets(() => nowMs)
  const holder = { userId: 'ann', expiresAtMs: null }
  const { ticket } = await tickets.issue(holder)
  const other = await tickets.issue(holder)
  nowMs += TICKET_LIFE_MS - 1
  expect(await tickets.redeem(other.ticket)).toEqual(holder)
  nowMs += 1
  expect(await tickets.redeem(ticket)).toBeUndefined()
  for (let count = 0; count < 25_000; count += 1) await tickets.issue(holder)
  await expect(tickets.issue(holder)).rejects.toThrow('too many tickets are out')
  nowMs += TICKET_LIFE_MS
  await tickets.issue(holder)
})

it('a ticket of Redis ends after 30 s, and is good on any server', async () => {
  const connection = await redisThatAnswers()
  const { ticket } = await createRedisTickets(connection).issue({
    userId: 'ann',
    expiresAtMs: null,
  })
  const leftMs = await connection.pttl(`live:ticket:${ticket}`)
  expect(leftMs).toBeGreaterThan(20_000)
  expect(leftMs).toBeLessThanOrEqual(30_000)
  const elsewhere = createRedisTickets(await redisThatAnswers())
  expect(await elsewhere.redeem(ticket)).toMatchObject({ userId: 'ann' })
})

it('without Redis none is issued or used up, and coming again helps', async () => {
  const tickets = createRedisTickets(await redis(`redis://127.0.0.1:${await freePort()}`))
  await expect(tickets.issue({ userId: 'ann', expiresAtMs: null })).rejects.toThrow(TransientError)
  await expect(tickets.redeem('x')).rejects.toThrow(TransientError)
})
