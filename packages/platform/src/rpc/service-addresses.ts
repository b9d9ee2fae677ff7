/**
 * The addresses of a service, as a resolver tells them again and again: of a headless Service of Kubernetes each ready
 * pod is one. What is asked goes to them in turn, past one that has much more to do than another, on a connection of
 * HTTP/2 to each; one that does not answer is left alone for a while, and none is given more than it can hold.
 */
import { lookup } from 'node:dns/promises'
import { connect } from 'node:net'
import type { Transport } from '@connectrpc/connect'
import { createConnectTransport, Http2SessionManager } from '@connectrpc/connect-node'
import {
  bulkhead,
  type BulkheadPolicy,
  circuitBreaker,
  type CircuitBreakerPolicy,
  CircuitState,
  ConsecutiveBreaker,
  handleWhen,
} from 'cockatiel'
import { tellOfCalls } from './call-telemetry.ts'
import { TransientError } from '../process/errors.ts'

/** Between two questions to the resolver: a pod that comes or goes is noticed within this. */
const RESOLVE_EVERY_MS = 2_000
/** Calls under way at one address; more would only wait there. */
const CALLS_MAX = 200
/** Whoever has so many times the calls under way of the least busy, and a few, is slow and passed over. */
const SLOWER_BY = 2
const SLACK = 4
/** Unanswered in a row, until an address is left alone … */
const FAILURES_MAX = 5
/** … for this long; then one call tries it. */
const LEFT_ALONE_MS = 1_000
const CONNECT_LIMIT_MS = 1_000
/** A connection that has calls under way and says nothing is asked whether it lives: it is gone within two seconds. */
const PING = { pingIntervalMs: 1_000, pingTimeoutMs: 1_000, idleConnectionTimeoutMs: 60_000 }

/** Such as `10.0.0.7`; the port is the URL's unless it is told. */
export type Host = { host: string; port?: number }
export type Resolve = (hostname: string) => Promise<readonly Host[]>

/** `localhost` is 127.0.0.1 for all who listen: of a name with both, the addresses of IPv4 count. */
export const resolveAll: Resolve = async (hostname) => {
  const found = await lookup(hostname, { all: true })
  const ofFour = found.filter(({ family }) => family === 4)
  return (ofFour.length > 0 ? ofFour : found).map(({ address }) => ({ host: address }))
}

export type Address = {
  transport: Transport
  sessions: Http2SessionManager
  breaker: CircuitBreakerPolicy
  room: BulkheadPolicy
  /** Since when it is left alone. */
  brokenAtMs: number
}

export type ServiceAddresses = {
  /** Makes the call at the address whose turn it is. */
  ask: <Answer>(call: (transport: Transport) => Promise<Answer>) => Promise<Answer>
  close: () => void
}

export type AddressesOptions = {
  urls: readonly string[]
  resolve: Resolve
  /** There was no answer, or none that says anything of what was asked. */
  isUnanswered: (error: unknown) => boolean
}

export function createServiceAddresses(options: AddressesOptions): ServiceAddresses {
  const { urls, resolve, isUnanswered } = options
  /** By the URL and what it resolves to. */
  const addresses = new Map<string, Address>()
  /** No longer told by the resolver: calls there are let finish. */
  const retired = new Set<Address>()
  let turn = 0
  let looking: Promise<void> | undefined
  let lookedAtMs = -Infinity

  async function look(): Promise<void> {
    const told = await Promise.all(urls.map(addressesOf))
    // A resolver that fails or finds nothing says nothing of those that are known.
    const known = told.flat()
    for (const [key, address] of addresses) {
      if (known.some((one) => one.key === key)) continue
      if (told.some((of, index) => of.length === 0 && key.startsWith(`${urls[index]} `))) continue
      addresses.delete(key)
      retired.add(address)
    }
    for (const { key, url, at } of known) {
      if (!addresses.has(key)) addresses.set(key, openAddress(url, at, isUnanswered))
    }
    for (const address of retired) {
      if (load(address) > 0 || address.sessions.state() === 'open') continue
      address.sessions.abort()
      retired.delete(address)
    }
  }

  async function addressesOf(url: string) {
    const { hostname, port } = new URL(url)
    const hosts = await resolve(hostname.replace(/^\[|\]$/g, '')).catch(() => [])
    return hosts.map((told) => {
      const at = { port: Number(port || 80), ...told }
      return { key: `${url} ${at.host} ${at.port}`, url, at }
    })
  }

  /** The first call waits for the resolver, later ones only when it has found nothing yet. */
  async function keepUp(): Promise<void> {
    if (performance.now() - lookedAtMs > RESOLVE_EVERY_MS) {
      lookedAtMs = performance.now()
      looking = look().finally(() => (looking = undefined))
    }
    if (addresses.size === 0) await looking
  }

  function pick(): Address {
    turn += 1
    const all = [...addresses.values()]
    const inTurn = all.map((_, index) => all[(index + turn) % all.length]).filter((one) => !!one)
    const usable = inTurn.filter(isUsable)
    // When none answers, whichever is due to be tried again.
    const tried = usable.length > 0 ? usable : inTurn
    const least = Math.min(...tried.map(load))
    const next = tried.find((one) => load(one) <= least * SLOWER_BY + SLACK)
    if (!next) throw new TransientError('it has no address')
    return next
  }

  return {
    async ask(call) {
      await keepUp()
      const { room, breaker, transport } = pick()
      return await room.execute(() => breaker.execute(() => call(transport)))
    },
    close() {
      for (const { sessions } of [...addresses.values(), ...retired]) sessions.abort()
    },
  }
}

/** Calls under way. */
function load({ room }: Address): number {
  return CALLS_MAX - room.executionSlots
}

function openAddress(
  baseUrl: string,
  at: Required<Host>,
  isUnanswered: (error: unknown) => boolean,
): Address {
  const sessions = new Http2SessionManager(
    baseUrl,
    { ...PING, connectTimeoutMs: CONNECT_LIMIT_MS },
    { createConnection: () => connect({ ...at, noDelay: true }) },
  )
  const breaker = circuitBreaker(handleWhen(isUnanswered), {
    halfOpenAfter: LEFT_ALONE_MS,
    breaker: new ConsecutiveBreaker(FAILURES_MAX),
  })
  const transport = createConnectTransport({
    baseUrl,
    httpVersion: '2',
    sessionManager: sessions,
    interceptors: [tellOfCalls(at)],
  })
  const address = { transport, sessions, breaker, room: bulkhead(CALLS_MAX), brokenAtMs: 0 }
  breaker.onBreak(() => (address.brokenAtMs = performance.now()))
  return address
}

/** With room, and not left alone, or for long enough to be tried. */
function isUsable({ breaker, room, brokenAtMs }: Address): boolean {
  if (room.executionSlots === 0) return false
  const { state } = breaker
  const isDue = performance.now() - brokenAtMs >= LEFT_ALONE_MS
  return state === CircuitState.Closed || (state === CircuitState.Open && isDue)
}
