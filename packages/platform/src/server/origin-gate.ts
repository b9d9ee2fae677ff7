/**
 * Which web pages may call. Browsers let a page read answers of another origin only when the answer says so
 * (CORS: https://fetch.spec.whatwg.org/#http-cors-protocol). And where user ids are believed, a page must not
 * get in by another door: a name that its owner points at this machine (DNS rebinding), or a form sent from
 * elsewhere. Programs that are no browsers send no Origin and are not concerned.
 */
import { isIP } from 'node:net'
import { cors } from '@connectrpc/connect'
import type { HttpRequest, HttpResponse } from './http-handler.ts'
import { sendJson } from './http-pages.ts'

/** The longest that Chromium keeps the answer to a preflight. */
const PREFLIGHT_MAX_AGE_S = 7_200
/** Hosts whose verdict is remembered: a process has a few names, and whoever makes up more gets no memory. */
const VERDICTS_MAX = 256

const allowedMethods = [...cors.allowedMethods, 'HEAD'].join(', ')
const allowedHeaders = [
  ...cors.allowedHeaders,
  'Authorization',
  'Last-Event-ID',
  'Traceparent',
  'Tracestate',
].join(', ')
const exposedHeaders = [...cors.exposedHeaders, 'Retry-After'].join(', ')

export type OriginRules = {
  /** Origins whose pages may call, e.g. `https://app.example.org`; `*` for all. Default: none but our own. */
  corsOrigins?: readonly string[] | undefined
  /**
   * Names this process answers for besides `localhost` and bare addresses, which nobody else can point
   * here. Requests for other names, and from pages of other names, are refused. Undefined: any name.
   */
  allowedHosts?: readonly string[] | undefined
}

/** Sees each request first: true when it has refused or answered it, false when the request may go on. */
export function createOriginGate({ corsOrigins = [], allowedHosts }: OriginRules) {
  const origins = new Set(corsOrigins)
  const anyOrigin = origins.has('*')
  const isOwn = allowedHosts && ownHosts(allowedHosts)

  return (request: HttpRequest, response: HttpResponse): boolean => {
    const hosts = hostsOf(request)
    const stranger = isOwn && hosts.find((host) => !isOwn(host))
    if (stranger !== undefined) {
      refuse(
        request,
        response,
        421,
        `this server does not answer for the name ${stranger}: use localhost or an address, or name it in ALLOWED_HOSTS`,
      )
      return true
    }
    if (origins.size > 0 && !anyOrigin) response.setHeader('vary', 'origin')
    const { origin } = request.headers
    if (origin === undefined) return false
    const allowed = anyOrigin || origins.has(origin)
    if (allowed) {
      response.setHeader('access-control-allow-origin', anyOrigin ? '*' : origin)
      response.setHeader('access-control-expose-headers', exposedHeaders)
    }
    const isPreflight =
      request.method === 'OPTIONS' && request.headers['access-control-request-method'] !== undefined
    if (isPreflight && allowed) {
      answerPreflight(response)
      return true
    }
    const mayCall = allowed || !(isPreflight || isOwn) || isOurs(origin, hosts, isOwn)
    if (mayCall) return false
    refuse(
      request,
      response,
      403,
      `pages of ${origin} may not call this server: name the origin in CORS_ORIGINS`,
    )
    return true
  }
}

/** `Host`, and what HTTP/2 has in its place; HTTP/1.0 may have neither, and no browser speaks it. */
function hostsOf({ headers }: HttpRequest): string[] {
  return [headers[':authority'], headers.host].filter((host) => typeof host === 'string')
}

function ownHosts(names: readonly string[]): (host: string) => boolean {
  const own = new Set(['localhost', ...names.map((name) => name.toLowerCase())])
  const verdicts = new Map<string, boolean>()
  return (host) => {
    const known = verdicts.get(host)
    if (known !== undefined) return known
    const name = URL.parse(`http://${host}`)?.hostname ?? ''
    const verdict = own.has(name) || isAddress(name)
    if (verdicts.size < VERDICTS_MAX) verdicts.set(host, verdict)
    return verdict
  }
}

/** A page from where the request goes to, or of another port of ours, such as the app's development server. */
function isOurs(
  origin: string,
  hosts: readonly string[],
  isOwn: ((host: string) => boolean) | undefined,
): boolean {
  const url = URL.parse(origin)
  if (!url || url.host === '') return false
  if (hosts.includes(url.host)) return true
  // A page on some other machine's address is not ours, though a request for an address is.
  const { host, hostname } = url
  return isOwn?.(host) === true && (!isAddress(hostname) || loopback.test(hostname))
}

const loopback = /^(?:127\.|\[::1\]$)/

/** IPv4, or IPv6 in brackets. */
function isAddress(hostname: string): boolean {
  return isIP(hostname.replace(/^\[(.*)\]$/, '$1')) !== 0
}

function answerPreflight(response: HttpResponse): void {
  response.writeHead(204, {
    'access-control-allow-methods': allowedMethods,
    'access-control-allow-headers': allowedHeaders,
    'access-control-max-age': String(PREFLIGHT_MAX_AGE_S),
  })
  response.end()
}

function refuse(
  request: HttpRequest,
  response: HttpResponse,
  status: number,
  message: string,
): void {
  sendJson(request, response, status, { code: 'permission_denied', message })
}
