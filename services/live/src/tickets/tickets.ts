/**
 * What a browser's EventSource shows in place of a token: it can send no header, and an address is written into logs and
 * histories. So a ticket is a random number that says nothing, lives for seconds and is good for one stream; whoever
 * reads it in a log comes too late. Redis keeps tickets where there are several servers, since each must know them all.
 */
import { randomBytes } from 'node:crypto'
import { unauthenticated } from '@bidmesh/platform/identity/identity-errors.ts'
import type { Identified } from '@bidmesh/platform/identity/principal.ts'
import { messageOf, TransientError } from '@bidmesh/platform/process/errors.ts'
import type { Redis } from '@bidmesh/platform/redis/redis.ts'
import { Code, ConnectError } from '@connectrpc/connect'

/** Between the answer with the ticket and the request that shows it. */
export const TICKET_LIFE_MS = 30_000
/** Nobody guesses one. */
const TICKET_BYTES = 32
/** Of a process that keeps them itself: more than it takes viewers in that time. */
const TICKETS_MAX = 25_000

export type Holder = {
  userId: string
  /** When the token ends by which the ticket was had, and with it the stream; null: never. */
  expiresAtMs: number | null
}

export type Tickets = {
  issue: (holder: Holder) => Promise<{ ticket: string; expiresAtMs: number }>
  /** Uses it up. Undefined for what is no ticket, or none any more. */
  redeem: (ticket: string) => Promise<Holder | undefined>
}

/** A ticket lets its holder watch, and do nothing else. */
export function principalOf({ userId, expiresAtMs }: Holder): Identified {
  return {
    kind: 'identified',
    subject: userId,
    roles: new Set(),
    expiresAtMs: expiresAtMs ?? undefined,
  }
}

export function ticketInvalid(): ConnectError {
  const message = `the ticket was used, or is older than ${TICKET_LIFE_MS / 1_000} s: get another`
  return unauthenticated('ticket_invalid', message, 'Bearer')
}

function newTicket(): string {
  return randomBytes(TICKET_BYTES).toString('base64url')
}

/** @param now the clock in ms, for tests */
export function createMemoryTickets(now: () => number = Date.now): Tickets {
  /** Those that end first come first. */
  const tickets = new Map<string, { holder: Holder; expiresAtMs: number }>()
  return {
    issue: async (holder) => {
      for (const [ticket, { expiresAtMs: endMs }] of tickets) {
        if (endMs > now()) break
        tickets.delete(ticket)
      }
      if (tickets.size >= TICKETS_MAX)
        throw new ConnectError('too many tickets are out: try again', Code.ResourceExhausted)
      const ticket = newTicket()
      const expiresAtMs = now() + TICKET_LIFE_MS
      tickets.set(ticket, { holder, expiresAtMs })
      return { ticket, expiresAtMs }
    },
    redeem: async (ticket) => {
      const found = tickets.get(ticket)
      tickets.delete(ticket)
      return found && found.expiresAtMs > now() ? found.holder : undefined
    },
  }
}

export function createRedisTickets(redis: Redis): Tickets {
  const keyOf = (ticket: string): string => `live:ticket:${ticket}`
  return {
    issue: async (holder) => {
      const ticket = newTicket()
      const expiresAtMs = Date.now() + TICKET_LIFE_MS
      await kept(redis.set(keyOf(ticket), textOf(holder), 'PX', TICKET_LIFE_MS))
      return { ticket, expiresAtMs }
    },
    redeem: async (ticket) => {
      const text = await kept(redis.getdel(keyOf(ticket)))
      return text === null ? undefined : holderOf(text)
    },
  }
}

/** The end, or nothing, and the user id. */
function textOf({ userId, expiresAtMs }: Holder): string {
  return `${expiresAtMs ?? ''} ${userId}`
}

function holderOf(text: string): Holder {
  const [end = ''] = text.split(' ', 1)
  return { userId: text.slice(end.length + 1), expiresAtMs: end === '' ? null : Number(end) }
}

async function kept<T>(work: Promise<T>): Promise<T> {
  try {
    return await work
  } catch (error) {
    throw new TransientError(`tickets cannot be kept: ${messageOf(error)}`)
  }
}
