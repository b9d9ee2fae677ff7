/**
 * A relay before RabbitMQ that keeps one thing to itself: that a consumer was cancelled. RabbitMQ itself forgets to
 * say so when a queue is declared again at the moment of its deletion, too rarely for a test.
 */
import { once } from 'node:events'
import { connect, createServer } from 'node:net'
import { freePort } from '../process/free-port.ts'

/** Type, channel and size before what a frame carries; its end mark after it. */
const headBytes = 7
const endBytes = 1
const methodFrame = 1
/** basic.cancel, as class and method. */
const basicCancel = 0x003c_001e

/** On a free port of 127.0.0.1. */
export async function startUntoldProxy(
  amqpUrl: string,
): Promise<{ url: string; close: () => void }> {
  const url = new URL(amqpUrl)
  const upstreamPort = Number(url.port || 5_672)
  const upstreamHost = url.hostname
  const server = createServer((client) => {
    const upstream = connect(upstreamPort, upstreamHost)
    let pending = Buffer.alloc(0)
    upstream.on('data', (bytes: Buffer) => {
      pending = Buffer.concat([pending, bytes])
      while (pending.length >= headBytes) {
        const size = headBytes + pending.readUInt32BE(3) + endBytes
        if (pending.length < size) break
        const frame = pending.subarray(0, size)
        pending = pending.subarray(size)
        const cancels = frame[0] === methodFrame && frame.readUInt32BE(headBytes) === basicCancel
        if (!cancels) client.write(frame)
      }
    })
    client.pipe(upstream)
    for (const [one, other] of [
      [client, upstream],
      [upstream, client],
    ] as const) {
      one.on('error', () => undefined)
      one.on('close', () => other.destroy())
    }
  })
  const port = await freePort()
  await once(server.listen(port, '127.0.0.1'), 'listening')
  url.host = `127.0.0.1:${port}`
  return { url: url.href, close: () => server.close() }
}
