/** A look into Redis that leaves no connection behind, whatever happens. */
import { Redis } from 'ioredis'

export async function withRedis<T>(url: string, look: (redis: Redis) => Promise<T>): Promise<T> {
  const redis = new Redis(url)
  // Told to whoever sends a command; unheard, it would be printed.
  redis.on('error', () => undefined)
  try {
    return await look(redis)
  } finally {
    redis.disconnect()
  }
}
