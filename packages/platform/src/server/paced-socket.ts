/**
 * A socket that is read a piece at a time. The system reads up to 2 MiB of a busy connection in one go, and a
 * session of HTTP/2 works through all of it before anybody else has a turn: header blocks, resets, frames of
 * nothing. This one hands on a few KiB, and the next when it is their turn. Writing is as it was.
 */
import type { Socket } from 'node:net'
import { Duplex } from 'node:stream'

/** Some 20 heads of requests: 3 ms at worst. A chunk that is no larger, which is most of them, does not wait. */
const PIECE_BYTES = 2 * 1024

/** A peer that is left gets this long to read what was written. */
const GOODBYE_MS = 200

export type PacedSocketOptions = {
  socket: Socket
  /** Calls back when it is the next piece's turn. */
  wait: (read: () => void) => void
  /** A piece is about to be handed on. False: nothing more is. */
  admit: (bytes: number) => boolean
}

export class PacedSocket extends Duplex {
  readonly #socket: Socket
  readonly #wait: PacedSocketOptions['wait']
  readonly #admit: PacedSocketOptions['admit']
  #rest: Buffer | undefined
  #isWaiting = false

  constructor({ socket, wait, admit }: PacedSocketOptions) {
    // Like the sockets of HTTP/2: a peer that has said all there is wants no more answers.
    super({ allowHalfOpen: false })
    this.#socket = socket
    this.#wait = wait
    this.#admit = admit
    socket
      .on('data', (chunk: Buffer) => this.#take(chunk))
      .on('end', () => this.#rest ?? this.push(null))
      .on('error', (error) => this.destroy(error))
      .on('close', () => this.destroy())
  }

  #take(chunk: Buffer): void {
    if (chunk.length <= PIECE_BYTES && this.#rest === undefined) return this.#hand(chunk)
    this.#socket.pause()
    this.#rest = this.#rest === undefined ? chunk : Buffer.concat([this.#rest, chunk])
    this.#next()
  }

  #next(): void {
    if (this.#isWaiting) return
    this.#isWaiting = true
    this.#wait(() => {
      this.#isWaiting = false
      const rest = this.#rest
      if (rest === undefined || this.destroyed) return
      this.#rest = rest.length > PIECE_BYTES ? rest.subarray(PIECE_BYTES) : undefined
      this.#hand(rest.subarray(0, PIECE_BYTES))
      if (this.#rest !== undefined) this.#next()
      else if (this.#socket.readableEnded) this.push(null)
      else this.#socket.resume()
    })
  }

  #hand(piece: Buffer): void {
    if (this.destroyed || !this.#admit(piece.length)) return
    if (!this.push(piece)) this.#socket.pause()
  }

  override _read(): void {
    if (this.#rest === undefined) this.#socket.resume()
  }

  override _write(chunk: Buffer, _encoding: unknown, done: (error?: Error | null) => void): void {
    this.#written(this.#socket.write(chunk), done)
  }

  override _writev(chunks: { chunk: Buffer }[], done: (error?: Error | null) => void): void {
    const socket = this.#socket
    socket.cork()
    let isTaken = true
    for (const { chunk } of chunks) isTaken = socket.write(chunk)
    socket.uncork()
    this.#written(isTaken, done)
  }

  /** What the system has not taken stays with whoever writes, where it is counted. */
  #written(isTaken: boolean, done: () => void): void {
    if (isTaken) return done()
    // Also when it never will be: a session waits for its last write before it lets its streams go.
    const end = (): void => {
      this.#socket.off('drain', end).off('close', end)
      done()
    }
    this.#socket.on('drain', end).on('close', end)
  }

  override _final(done: () => void): void {
    this.#socket.end(done)
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    // What was written goes out first, a farewell among it, if the peer takes it.
    this.#socket.destroySoon()
    const limit = setTimeout(() => this.#socket.destroy(), GOODBYE_MS)
    this.#socket.once('close', () => clearTimeout(limit))
    done(error)
  }
}
