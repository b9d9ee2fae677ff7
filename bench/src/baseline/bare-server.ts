/**
 * As little as a server of PlaceBid in JSON can be: `node:http`, JSON.parse, an answer. No library, no validation, one
 * address for everything: what is posted is a bid, what is not is whoever asks whether it is ready.
 */
import { createServer } from 'node:http'

/** As they stand in the request. */
export type BareBid = { itemId: string; userId: string; amount: string }

/** @param answer calls back once with the status and the body in JSON */
export type AnswerBid = (bid: BareBid, respond: (status: number, body: string) => void) => void

/** Serves on PORT until the bench goes away. */
export function serveBids(answer: AnswerBid): void {
  const server = createServer((request, response) => {
    if (request.method !== 'POST') {
      response.end('ready')
      return
    }
    const chunks: Buffer[] = []
    request.on('data', (chunk: Buffer) => chunks.push(chunk))
    request.on('end', () => {
      const bid: BareBid = JSON.parse(Buffer.concat(chunks).toString())
      answer(bid, (status, body) => {
        response.writeHead(status, {
          'content-type': 'application/json',
          'content-length': Buffer.byteLength(body),
        })
        response.end(body)
      })
    })
  })
  server.listen(Number(process.env['PORT']), '127.0.0.1')
  process.once('disconnect', () => process.exit(0))
}
