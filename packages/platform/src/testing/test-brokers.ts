/**
 * What tests around the brokers share: both brokers behind one face, events to send, a handler that remembers
 * what it got, a RabbitMQ that can be taken away, and a queue outside of any namespace.
 */
import { randomUUID } from 'node:crypto'
import { connect } from 'amqplib'
import { inject } from 'vitest'
import { createMemoryBroker } from '../broker/broker-memory.ts'
import type { Broker, IncomingEvent, OutgoingEvent } from '../broker/broker.ts'
import { eventually } from './eventually.ts'
import { startTcpProxy } from './tcp-proxy.ts'
import type { TcpProxy } from './tcp-proxy.ts'
import { silentLog, startTestRabbit } from './test-rabbit.ts'

/** Most events in an exclusive queue of the RabbitMQ under test: few, so that a test can exceed it. */
const EXCLUSIVE_MAX_LENGTH = 200

export type TestBroker = {
  broker: Broker
  /** Ids and errors of the queue's dead letters so far. */
  deadLetters: (queue: string) => Promise<{ id: string; error: string }[]>
  /** Deletes a durable queue that has no subscription; in memory there is none then. */
  deleteQueue: (queue: string) => Promise<void>
  /** Most events waiting in an exclusive queue. */
  exclusiveMaxLength: number
  close: () => Promise<void>
}

async function rabbit(): Promise<TestBroker> {
  const { broker, admin, topology, deadLetters, close } = await startTestRabbit({
    exclusiveMaxLength: EXCLUSIVE_MAX_LENGTH,
  })
  return {
    broker,
    deadLetters: async (queue) =>
      (await deadLetters(queue)).map(({ properties }) => ({
        id: String(properties.messageId),
        error: String(properties.headers?.['x-error']),
      })),
    deleteQueue: async (queue) => void (await admin.deleteQueue(topology.name(queue))),
    exclusiveMaxLength: EXCLUSIVE_MAX_LENGTH,
    close,
  }
}

async function memory(): Promise<TestBroker> {
  const broker = createMemoryBroker({ log: silentLog })
  return {
    broker,
    deadLetters: async (queue) =>
      broker
        .deadLetters()
        .filter((letter) => letter.queue === queue)
        .map((letter) => ({ id: letter.event.id, error: letter.error })),
    deleteQueue: async () => undefined,
    exclusiveMaxLength: 16_000,
    close: () => broker.close(),
  }
}

/** Both, for `describe.each`. `keepsNothing`: what is not handled goes back to its publisher. */
export const testBrokers = [
  { name: 'RabbitMQ', open: rabbit, keepsNothing: false },
  { name: 'memory', open: memory, keepsNothing: true },
]

export function testEvent(over: Partial<OutgoingEvent> = {}): OutgoingEvent {
  return {
    id: randomUUID(),
    type: 'bid.placed',
    key: randomUUID(),
    payload: Uint8Array.of(1, 2, 3),
    headers: {},
    occurredAt: new Date('2026-11-20T12:34:56.789Z'),
    ...over,
  }
}

export function testEvents(count: number, over: Partial<OutgoingEvent> = {}): OutgoingEvent[] {
  return Array.from({ length: count }, () => testEvent(over))
}

export function idsOf(events: readonly { id: string }[]): string[] {
  return events.map(({ id }) => id)
}

export type Recorder = {
  seen: IncomingEvent[]
  batches: string[][]
  handle: (batch: readonly IncomingEvent[]) => Promise<void>
  /** Resolves once so many events have been handled. */
  until: (count: number) => Promise<void>
}

/** A handler that keeps what it got; `onBatch` may wait or refuse first. */
export function recorder(
  onBatch: (batch: readonly IncomingEvent[]) => Promise<void> | void = () => undefined,
): Recorder {
  const seen: IncomingEvent[] = []
  const batches: string[][] = []
  return {
    seen,
    batches,
    handle: async (batch) => {
      batches.push(idsOf(batch))
      await onBatch(batch)
      seen.push(...batch)
    },
    until: async (count) => {
      await eventually(() => seen.length >= count, { intervalMs: 5 })
    },
  }
}

/** A way to the RabbitMQ of the tests that can be cut. */
export async function startAmqpProxy(): Promise<{ proxy: TcpProxy; url: string }> {
  const proxy = await startTcpProxy(inject('amqpUrl'))
  return { proxy, url: proxy.url }
}

export type BorrowedQueue = {
  exists: () => Promise<boolean>
  /** Deletes it and its dead queue, unless it was there before: then somebody else uses it. */
  giveBack: () => Promise<void>
}

/** For tests of whole processes, which know no namespace: a durable queue that such a process declares. */
export async function borrowQueue(name: string): Promise<BorrowedQueue> {
  const exists = async () => {
    const connection = await connect(inject('amqpUrl'))
    const channel = await connection.createChannel()
    // RabbitMQ closes a channel that asks for what is not there; that is the answer.
    channel.on('error', () => undefined)
    const found = await channel.checkQueue(name).then(
      () => true,
      () => false,
    )
    await connection.close()
    return found
  }
  const wasThere = await exists()
  return {
    exists,
    giveBack: async () => {
      if (wasThere) return
      const connection = await connect(inject('amqpUrl'))
      const channel = await connection.createChannel()
      await channel.deleteQueue(name)
      await channel.deleteQueue(`${name}.dead`)
      await connection.close()
    },
  }
}
