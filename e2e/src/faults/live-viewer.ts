/**
 * One viewer as a page is one: server-sent events, and whenever the stream is lost a new one from where it
 * was, from the other server when its own refuses. It checks all that it is told over its whole life, and
 * never gives up: that a server is unavailable is no reason to complain.
 */
import { Agent, type ClientRequest, get, type IncomingMessage } from 'node:http'
import { errorCode, messageOf } from '@bidmesh/platform/process/errors.ts'
import { complaintAbout, type Sighting, sightingAfter, type Told } from './live-sighting.ts'

/** Before each attempt but the first, evenly spread: a thousand pages must not come back as one. */
const backOffMs = { least: 100, most: 500 }
/** A stream says something every 10 s at least; the rest is for a machine that is busy with a restart. */
const silenceLimitMs = 13_000
/** What attempts and streams end with when a server dies; anything else is complained of. */
const lossCodes: ReadonlySet<unknown> = new Set(['ECONNREFUSED', 'ECONNRESET', 'EPIPE'])

export type ViewerOptions = {
  /** Of the servers to choose from. */
  urls: readonly string[]
  /** Index of the server to begin with. */
  home: number
  itemId: string
  /** '' for nobody in particular. */
  userId: string
  read: (json: string) => Told
  complain: (complaint: string) => void
}

/** Not kept alive: each stream has a connection of its own. */
const agent = new Agent({ keepAlive: false })

export class Viewer {
  /** Undefined before it was told anything. */
  sighting: Sighting | undefined
  /** Index of its server. */
  server: number
  /** This stream has told something. */
  connected = false
  /** Wants a stream. */
  present = false
  readonly #options: ViewerOptions
  #request: ClientRequest | undefined
  #retry: NodeJS.Timeout | undefined

  constructor(options: ViewerOptions) {
    this.#options = options
    this.server = options.home
  }

  get itemId(): string {
    return this.#options.itemId
  }

  /** For the first time, or again after `leave`. */
  come(): void {
    if (this.present) return
    this.present = true
    this.#connect()
  }

  leave(): void {
    this.present = false
    clearTimeout(this.#retry)
    this.#request?.destroy()
  }

  /** Hangs up and goes to the server it began with, unless it is there. */
  goHome(): void {
    if (this.server !== this.#options.home) this.#moveTo(this.#options.home)
  }

  /** Hangs up and goes to the next server. */
  move(): void {
    this.#moveTo(this.server + 1)
  }

  #moveTo(server: number): void {
    this.server = server % this.#options.urls.length
    this.#request?.destroy()
  }

  #connect(): void {
    const { urls, itemId, userId, complain } = this.#options
    const url = `${urls[this.server]}/live/items/${itemId}?user_id=${userId}`
    const headers = this.sighting ? { 'last-event-id': String(this.sighting.sequence) } : {}
    const request = get(url, { agent, headers, timeout: silenceLimitMs })
    this.#request = request
    request.on('response', (response) => this.#listen(response))
    request.on('error', (error) => this.#excuse(error))
    request.on('timeout', () => {
      complain(`heard nothing for ${silenceLimitMs} ms, ${this.connected ? 'watching' : 'asking'}`)
      request.destroy()
    })
    request.on('close', () => this.#lost(request))
  }

  #listen(response: IncomingMessage): void {
    const { statusCode } = response
    response.on('error', (error) => this.#excuse(error))
    const rest = onEvents(response, (event) => {
      if (statusCode === 200) this.#hear(event)
    })
    // A server that stops, or cannot read Postgres, ends the stream at once.
    if (statusCode === 200) return
    response.on('end', () => this.#options.complain(`refused with ${statusCode}: ${rest()}`))
  }

  #hear(event: string): void {
    const json = /^data: (.*)$/m.exec(event)?.[1]
    if (json === undefined || !this.present) return
    const { read, complain } = this.#options
    this.connected = true
    try {
      const told = read(json)
      const complaint = complaintAbout(this.sighting, told)
      if (complaint !== undefined) complain(complaint)
      this.sighting = sightingAfter(this.sighting, told)
    } catch (error) {
      complain(messageOf(error))
    }
  }

  #excuse(error: Error): void {
    if (lossCodes.has(errorCode(error))) return
    this.#options.complain(`lost its stream: ${messageOf(error)}`)
  }

  #lost(request: ClientRequest): void {
    // Has left, and perhaps come again.
    if (request !== this.#request) return
    const refused = !this.connected
    this.connected = false
    if (!this.present) return
    // Once more where it was, elsewhere when that fails.
    if (refused) this.#moveTo(this.server + 1)
    const { least, most } = backOffMs
    this.#retry = setTimeout(() => this.#connect(), least + Math.random() * (most - least))
  }
}

/** Calls `hear` with each event as it was sent; returns a look at what has come since the last. */
function onEvents(response: IncomingMessage, hear: (event: string) => void): () => string {
  let rest = ''
  response.setEncoding('utf8')
  response.on('data', (text: string) => {
    const events = (rest + text).split('\n\n')
    rest = events.pop() ?? ''
    for (const event of events) hear(event)
  })
  return () => rest
}
