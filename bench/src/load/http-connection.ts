/**
 * One keep-alive HTTP/1.1 connection that posts JSON, one request at a time, as cheaply as Node allows:
 * the generator shares its cores with the servers it measures. It understands what the bench's targets
 * answer (a status, a content-length, a body) and nothing else of HTTP.
 */
import { connect, type Socket } from 'node:net'

/** An answer that takes longer than this counts as an error: every server's own limits are shorter. */
const answerLimitMs = 30_000

export type HttpConnection = {
  /** Sends a request; its answer goes to `onAnswer`. The one before must have been answered. */
  post: (path: string, body: string) => void
  close: () => void
}

export type HttpListener = {
  onAnswer: (status: number, body: string) => void
  /** The connection is gone, with or without a request in flight; it is not opened again. */
  onFailure: (reason: string) => void
}

/** Opens a connection to `url` (`http://host:port`); requests may be posted at once. */
export function openHttpConnection(url: string, listener: HttpListener): HttpConnection {
  const { hostname, port, host } = new URL(url)
  const heads = new Map<string, string>()
  const socket: Socket = connect({ host: hostname, port: Number(port || 80), noDelay: true })
  let unread: Buffer | undefined
  let closed = false

  function fail(reason: string): void {
    if (closed) return
    closed = true
    socket.destroy()
    listener.onFailure(reason)
  }

  socket.on('data', (chunk: Buffer) => {
    const bytes = unread === undefined ? chunk : Buffer.concat([unread, chunk])
    const answer = readAnswer(bytes)
    unread = answer === undefined ? bytes : undefined
    if (answer === undefined || closed) return
    if (answer === 'unreadable') fail('an answer without content-length')
    else listener.onAnswer(answer.status, answer.body)
  })
  socket.on('error', (error: NodeJS.ErrnoException) => fail(error.code ?? error.message))
  socket.on('close', () => fail('connection closed'))
  socket.setTimeout(answerLimitMs, () => fail('no answer'))

  return {
    post(path, body) {
      let head = heads.get(path)
      if (head === undefined) {
        head = `POST ${path} HTTP/1.1\r\nhost: ${host}\r\ncontent-type: application/json\r\ncontent-length: `
        heads.set(path, head)
      }
      socket.write(`${head}${Buffer.byteLength(body)}\r\n\r\n${body}`)
    },
    close() {
      closed = true
      socket.destroy()
    },
  }
}

/** The answer at the start of `bytes`; undefined while some of it is still on its way. */
export function readAnswer(
  bytes: Buffer,
): { status: number; body: string } | 'unreadable' | undefined {
  const headEnd = bytes.indexOf('\r\n\r\n')
  if (headEnd === -1) return undefined
  const head = bytes.toString('latin1', 0, headEnd)
  const length = /\r\ncontent-length: *(\d+)/i.exec(head)?.[1]
  if (length === undefined) return 'unreadable'
  const bodyStart = headEnd + 4
  const bodyEnd = bodyStart + Number(length)
  if (bytes.length < bodyEnd) return undefined
  // The status line is "HTTP/1.1 200 OK".
  return { status: Number(head.slice(9, 12)), body: bytes.toString('utf8', bodyStart, bodyEnd) }
}
