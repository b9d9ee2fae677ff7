/**
 * One cleartext port for all that a process serves: procedures as Connect, gRPC-Web and JSON over
 * HTTP/1.1 and h2c, gRPC over h2c, gRPC health and reflection, and the plain pages of operators. A
 * request that has been accepted is answered, also while the server stops; whatever a client sends,
 * it gets a typed error and the process goes on.
 */
import { once } from 'node:events'
import type { Server as NetServer } from 'node:net'
import type { DescMethod } from '@bufbuild/protobuf'
import { Code, ConnectError } from '@connectrpc/connect'
import { createConnectionCuts } from './connection-cuts.ts'
import { connectionLimit } from './connection-limit.ts'
import { errorCode } from '../process/errors.ts'
import { Health } from '@bidmesh/gen/grpc/health/v1/health_pb.ts'
import { registerHealth } from '../rpc/grpc-health.ts'
import { reflectionServices, registerReflection } from '../rpc/grpc-reflection.ts'
import type { Authenticator } from '../identity/authenticator.ts'
import { type CallLimits, noLimits } from '../identity/call-limits.ts'
import { createProxyReader } from '../identity/client-address.ts'
import { requirePermissions } from '../identity/permission.ts'
import { createDualServer } from './http-dual-server.ts'
import { type HttpHandler, type IdentifiedHandler, isGone } from './http-handler.ts'
import { createHttpPages } from './http-pages.ts'
import type { Log } from '../process/log.ts'
import { createOriginGate, type OriginRules } from './origin-gate.ts'
import type { Component } from '../process/component.ts'
import { createProcedureHandler } from '../rpc/procedure-handler.ts'
import { createReadiness } from '../process/readiness.ts'
import { StartError } from '../process/start-error.ts'
import { withTimeLimit } from '../process/time-limit.ts'

/** Longest deadline a caller may ask for; a longer one is INVALID_ARGUMENT. gRPC tools use minutes. */
const MAX_TIMEOUT_MS = 10 * 60_000

/** Requests in hand get this long after a stop was asked for, then their signal aborts … */
const FINISH_LIMIT_MS = 5_000
/** … and after this much more their connections are cut. Below 10 s with the components' own stopping. */
const ABORT_LIMIT_MS = 500

/**
 * Connections that the system holds until we take them; it may hold fewer (net.core.somaxconn, 4,096). Whoever comes to a
 * full line is not heard, and asks again after 1, 3 and 7 s: with Node's 511 many of a crowd that has lost its server do.
 */
const BACKLOG = 16_384

/** Another process listens on the port. */
export class PortInUseError extends StartError {
  override name = 'PortInUseError'
}

export type ServerOptions = OriginRules & {
  /** Address to listen on. */
  host: string
  /** 0 lets the system choose. */
  port: number
  components: readonly Component[]
  /** Says who calls. The caller stops it. */
  authenticator: Authenticator
  /** Says who calls too often; absent: nobody does. The caller stops it. */
  limits?: CallLimits
  /** Addresses and networks of proxies whose `x-forwarded-for` is believed. */
  trustedProxies?: readonly string[] | undefined
  log: Log
  /** The page `/metrics`. */
  metricsText: () => Promise<string>
  /** Connections at once; absent: as many as the descriptors allow, at most 32,000. */
  maxConnections?: number | undefined
  /** Tests shorten it; at most 5 s otherwise. */
  finishLimitMs?: number
}

export type Server = {
  /** `http://host:port`, with a name a client can use when listening on all addresses. */
  url: string
  port: number
  /** Connections it takes at once. */
  maxConnections: number
  /**
   * Not ready, takes no new connection, answers what is in hand (at most 5.5 s), returns. Components are the
   * caller's to stop, afterwards.
   */
  stop: () => Promise<void>
}

/**
 * Serves the components. Rejects with {@link PortInUseError}, PermissionError when a method does not say who may call it, or
 * the system's own error.
 */
export async function startServer(options: ServerOptions): Promise<Server> {
  const { authenticate, check: checkTokens } = options.authenticator
  const { limits = noLimits, trustedProxies = [] } = options
  const tokens = checkTokens ? [{ name: 'tokens', check: checkTokens }] : []
  const readiness = createReadiness([...options.components, ...tokens])
  const ofOthers = new Set(options.components.flatMap((component) => component.forAnybody ?? []))
  const services = options.components.flatMap((component) => component.services)
  requirePermissions(services.filter((service) => !ofOthers.has(service)))
  const stopping = new AbortController()
  const shutdown = new AbortController()
  const held = options.components.flatMap((component) => component.held ?? [])
  const procedures = createProcedureHandler({
    held,
    limits,
    // Health and reflection are for those who watch over processes, who have no tokens.
    forAnybody: new Set([...ofOthers, Health, ...reflectionServices]),
    routes: (router) => {
      for (const component of options.components) component.routes(router)
      registerHealth(router, {
        components: options.components,
        readiness,
        stopping: stopping.signal,
      })
      registerReflection(router, services, held)
    },
    maxTimeoutMs: MAX_TIMEOUT_MS,
    shutdownSignal: shutdown.signal,
    explain: options.components.flatMap((component) => component.explainError ?? []),
    onRefused: options.components.flatMap((component) => component.onRefused ?? []),
    fallback: createHttpPages({ ...options, readiness }),
    log: options.log,
  })
  const { max: maxConnections, filesMax } = await connectionLimit(options.maxConnections)
  if (maxConnections < (options.maxConnections ?? 0)) {
    options.log.warn(
      { filesMax, maxConnections },
      'fewer connections than asked for: raise ulimit -n',
    )
  }
  const urgent = new Set(
    options.components.flatMap((component) => component.urgent ?? []).map(procedurePath),
  )
  const known = identified(authenticate, componentsFirst(options.components, procedures, limits))
  const dual = createDualServer({
    handle: gated(createOriginGate(options), located(createProxyReader(trustedProxies), known)),
    isUrgent: (path) => urgent.has(path),
    maxConnections,
    cut: createConnectionCuts(options.log),
  })
  const port = await listen(dual.net, options)
  return {
    url: `http://${clientHost(options.host)}:${port}`,
    port,
    maxConnections,
    stop: async () => {
      readiness.shutDown()
      stopping.abort()
      for (const component of options.components) component.drain?.()
      const closed = dual.close()
      if (await endsWithin(closed, options.finishLimitMs ?? FINISH_LIMIT_MS)) return
      options.log.warn('requests are still in hand: aborting them')
      shutdown.abort(new ConnectError('the server is stopping: send it again', Code.Unavailable))
      if (!(await endsWithin(closed, ABORT_LIMIT_MS))) dual.destroy()
      await closed
    },
  }
}

function procedurePath({ parent, name }: DescMethod): string {
  return `/${parent.typeName}/${name}`
}

/** Requests that the gate lets through. */
function gated(gate: ReturnType<typeof createOriginGate>, handle: HttpHandler): HttpHandler {
  return (request, response) => {
    if (!gate(request, response)) handle(request, response)
  }
}

/** Requests of which it is known where they come from. */
function located(locate: ReturnType<typeof createProxyReader>, handle: HttpHandler): HttpHandler {
  if (!locate) return handle
  return (request, response) => {
    locate(request)
    handle(request, response)
  }
}

/**
 * Nothing below is asked before it is known who calls: no component, no procedure, no page. Pages and gRPC health and
 * reflection are for everybody, and do not look.
 */
function identified(
  authenticate: Authenticator['authenticate'],
  handle: IdentifiedHandler,
): HttpHandler {
  return (request, response) => {
    const principal = authenticate(request)
    if (!(principal instanceof Promise)) return handle(request, response, principal)
    void principal.then((known) => isGone(request, response) || handle(request, response, known))
  }
}

/** What components answer by themselves; everything else is for the procedures. */
function componentsFirst(
  components: readonly Component[],
  procedures: IdentifiedHandler,
  limits: CallLimits,
): IdentifiedHandler {
  const handlers = components.flatMap((component) => (component.handle ? [component.handle] : []))
  if (handlers.length === 0) return procedures
  return (request, response, principal) => {
    if (!handlers.some((handle) => handle(request, response, principal, limits)))
      procedures(request, response, principal)
  }
}

async function listen(net: NetServer, { host, port }: ServerOptions): Promise<number> {
  try {
    await once(net.listen({ host, port, backlog: BACKLOG }), 'listening')
  } catch (error) {
    if (errorCode(error) !== 'EADDRINUSE') throw error
    throw new PortInUseError(
      `port ${port} of ${host} is taken by another program: ` +
        `stop that one, or choose another port, such as PORT=${port === 65_535 ? 8080 : port + 1}`,
      { cause: error },
    )
  }
  const address = net.address()
  if (address === null || typeof address === 'string') throw new Error('not a TCP address')
  return address.port
}

/** A name to reach a server by that listens on all addresses. */
function clientHost(host: string): string {
  if (host === '0.0.0.0' || host === '::') return 'localhost'
  return host.includes(':') ? `[${host}]` : host
}

function endsWithin(ending: Promise<void>, limitMs: number): Promise<boolean> {
  return withTimeLimit(ending, limitMs, 'requests in hand').then(
    () => true,
    () => false,
  )
}
