/**
 * The web app as files, beside the services on their port. Takes only what a browser asks for: its files by
 * name, the app's own addresses when the answer may be HTML, and then those that nobody knows, for which the
 * app has a page as well; everything else stays the services'. Files are looked up at each request, so a new
 * build shows without a new start.
 */
import { createReadStream, existsSync, statSync } from 'node:fs'
import type { ServerResponse } from 'node:http'
import { join } from 'node:path'
import type { Readable } from 'node:stream'
import type { HttpRequest, HttpResponse } from '@bidmesh/platform/server/http-handler.ts'
import type { Log } from '@bidmesh/platform/process/log.ts'
import type { Component } from '@bidmesh/platform/process/component.ts'
import sirv from 'sirv'
import { type SignIn, signInOrigins } from './sign-in.ts'

/** What the build makes: `npm run build -w web`. */
export const builtWebDir = join(import.meta.dirname, '../../../web/dist')

export function isBuilt(dir: string): boolean {
  return existsSync(join(dir, PAGE))
}

/** What `web/src/app/app.tsx` has a page for; a slash more at the end changes nothing. */
const appPath = /^\/(?:sell|my|market|signed-in|items\/[^/]+(?:\/edit)?)?\/*$/i
/** A name with an extension in plain folders; a procedure has its dots before the last slash. */
const filePath = /^\/(?:[\w-]+\/)*[\w-]+(?:\.[\w-]+)+$/
/** The build puts the hash of a file into its name here, so what it once was it stays. */
const hashedPath = /^\/assets\//

const PAGE = '/index.html'
/** No file: see `sign-in.ts`. */
const CONFIG = '/config.json'

/** Files being sent: each is a descriptor, and the database's connections need some as well. */
const FILES_AT_ONCE = 100

const YEAR_S = 31_536_000
/** For files that keep their name: pictures and the icon. */
const HOUR_S = 3_600

/**
 * Mantine sets styles inline, and pictures of items come from wherever sellers have them; everything else
 * is our own. Nobody may frame a page where one tap bids.
 */
const contentSecurityPolicy = (signIn: SignIn): string =>
  [
    "default-src 'self'",
    // As strict as it gets: files of ours, nothing inline, nothing evaluated.
    "script-src 'self'",
    ['connect-src', "'self'", ...signInOrigins(signIn)].join(' '),
    "img-src 'self' https: http: data:",
    "style-src 'self' 'unsafe-inline'",
    "object-src 'none'",
    "base-uri 'none'",
    "form-action 'self'",
    "frame-ancestors 'none'",
  ].join('; ')

const securityHeaders = (signIn: SignIn) => ({
  'content-security-policy': contentSecurityPolicy(signIn),
  'x-content-type-options': 'nosniff',
  'referrer-policy': 'strict-origin-when-cross-origin',
  // Neither a page that has opened ours, nor one that shows our files, gets a hold of them.
  'cross-origin-opener-policy': 'same-origin',
  'cross-origin-resource-policy': 'same-origin',
  'permissions-policy': 'camera=(), geolocation=(), microphone=(), payment=(), usb=()',
})

export type WebComponentOptions = {
  /** Holds index.html and what it names, each with its `.br` and `.gz` where that pays. */
  dir: string
  /** Absent: names are chosen. */
  signIn?: SignIn
  log: Log
  /** Tests have fewer. */
  filesAtOnce?: number | undefined
}

/** Without a build it takes no request, says so once, and the services are as they are without it. */
export function createWebComponent(options: WebComponentOptions): Component {
  const { dir, log, signIn = { mode: 'trusted' }, filesAtOnce = FILES_AT_ONCE } = options
  const setHeaders = headersFor(signIn)
  const config = `${JSON.stringify(signIn)}\n`
  // `dev` is sirv's word for looking files up at each request; headers are ours all the same.
  const files = sirv(dir, { dev: true, etag: true, brotli: true, gzip: true, setHeaders })
  const sending = createSending(filesAtOnce)
  const built = isBuilt(dir)
  if (!built) log.warn({ dir }, 'the web app is not built: `make start` or `npm run build -w web`')
  return {
    name: 'web',
    services: [],
    routes: () => undefined,
    handle: (request, response) => {
      const path = pathToServe(request)
      if (path === CONFIG) return sendConfig(config, request, response)
      if (path === undefined) return false
      return sending.refuse(response) || serve(files, path, request, response, sending)
    },
    handleUnknown: (request, response) =>
      isForBrowser(request) &&
      (sending.refuse(response) ||
        serveNothingHere(join(dir, PAGE), request, response, sending, setHeaders)),
    pages: built ? ['GET /  the web app, for a browser (accept: text/html)'] : [],
    check: async () => undefined,
    stop: async () => undefined,
  }
}

type Sending = {
  /** True when no more files can be sent, which the answer then says. */
  refuse: (response: HttpResponse) => boolean
  /** The file is closed with the answer, whichever way that ends. */
  begin: (source: Readable, response: HttpResponse) => void
}

function createSending(filesAtOnce: number): Sending {
  let files = 0
  return {
    refuse: (response) => {
      if (files < filesAtOnce) return false
      response.writeHead(503, { 'retry-after': '1', 'content-type': 'text/plain' })
      response.end('too many files are being sent: try again\n')
      return true
    },
    begin: (source, response) => {
      files += 1
      source.once('close', () => (files -= 1))
      // A file that goes away while it is read, such as in a new build, costs this answer and not the process.
      source.once('error', () => response.destroy())
      // A reader that leaves: pipe() would keep the file open for ever.
      response.once('close', () => source.destroy())
    },
  }
}

/** The path of the file to answer with, or undefined for what is not the app's. */
function pathToServe(request: HttpRequest): string | undefined {
  if (!isRead(request)) return undefined
  const path = request.url?.split('?', 1)[0] ?? ''
  if (appPath.test(path)) return isForBrowser(request) ? PAGE : undefined
  return filePath.test(path) ? path : undefined
}

function isRead({ method }: HttpRequest): boolean {
  return method === 'GET' || method === 'HEAD'
}

/** Somebody opens an address: scripts and tools ask for other things than HTML. */
function isForBrowser(request: HttpRequest): boolean {
  return isRead(request) && request.headers.accept?.includes('text/html') === true
}

/** The app, which says that there is nothing. Not by sirv, which knows of no status but 200. */
function serveNothingHere(
  file: string,
  request: HttpRequest,
  response: HttpResponse,
  sending: Sending,
  setHeaders: SetHeaders,
): boolean {
  const stats = statSync(file, { throwIfNoEntry: false })
  if (!stats) return false
  setHeaders(response, PAGE)
  const headers = { 'content-type': 'text/html;charset=utf-8', 'content-length': stats.size }
  response.writeHead(404, headers)
  if (request.method === 'HEAD') response.end()
  else {
    const source = createReadStream(file)
    sending.begin(source, response)
    source.pipe(response)
  }
  return true
}

/** True when there is such a file; otherwise nothing was touched. */
function serve(
  files: ReturnType<typeof sirv>,
  path: string,
  request: HttpRequest,
  response: HttpResponse,
  sending: Sending,
): boolean {
  // Whole files only: sirv answers a range it cannot parse by throwing after the head is out.
  const { range: _, ...headers } = request.headers
  const asked = Object.create(request, { url: { value: path }, headers: { value: headers } })
  let found = true
  const guard = (source: Readable): void => sending.begin(source, response)
  response.once('pipe', guard)
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- Connect patched the type, no more
  files(asked, response as ServerResponse, () => {
    found = false
    response.off('pipe', guard)
  })
  return found
}

/** What the app reads before anything else; it changes with the process alone, and a cache knows nothing of that. */
function sendConfig(config: string, request: HttpRequest, response: HttpResponse): boolean {
  response.writeHead(200, {
    'content-type': 'application/json',
    'content-length': Buffer.byteLength(config),
    'cache-control': 'no-cache',
    'x-content-type-options': 'nosniff',
  })
  if (request.method === 'HEAD') response.end()
  else response.end(config)
  return true
}

type SetHeaders = (response: HttpResponse, path: string) => void

function headersFor(signIn: SignIn): SetHeaders {
  const headers = Object.entries(securityHeaders(signIn))
  return (response, path) => {
    for (const [name, value] of headers) response.setHeader(name, value)
    const isPage = path === PAGE
    // The same address says something else to those who do not ask for HTML.
    response.setHeader('vary', isPage ? 'accept, accept-encoding' : 'accept-encoding')
    response.setHeader('cache-control', cacheControl(path, isPage))
  }
}

function cacheControl(path: string, isPage: boolean): string {
  if (isPage) return 'no-cache'
  if (hashedPath.test(path)) return `public, max-age=${YEAR_S}, immutable`
  return `public, max-age=${HOUR_S}`
}
