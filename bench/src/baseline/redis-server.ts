/** Bids in Redis as a process: a bare server in front of the script of `redis-bids.ts`. */
import { randomUUIDv7 } from 'node:crypto'
import { Redis } from 'ioredis'
import { serveBids } from './bare-server.ts'
import { acceptance, rejection } from './redis-answers.ts'
import { redisBids } from './redis-bids.ts'

const redis = new Redis(process.env['REDIS_URL'] ?? '', {
  // Bids that arrive together are sent together, and share one flush of Redis's file.
  enableAutoPipelining: true,
})
const place = await redisBids(redis)

serveBids((bid, respond) => {
  const id = randomUUIDv7()
  place({ id, ...bid }).then(
    (decision) =>
      decision.reason === ''
        ? respond(200, acceptance({ id, ...bid }, decision))
        : respond(400, rejection(decision)),
    () => respond(503, '{"code":"unavailable"}'),
  )
})
