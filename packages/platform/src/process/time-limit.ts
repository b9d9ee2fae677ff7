/**
 * A limit for waits on others. The work itself goes on: whoever sets a limit must be able to live with that.
 */
import { TransientError } from './errors.ts'

/** Settles as `work` does, or rejects with a TransientError that names `what` after `limitMs`. */
export async function withTimeLimit<T>(
  work: Promise<T>,
  limitMs: number,
  what: string,
): Promise<T> {
  const { promise: late, reject } = Promise.withResolvers<never>()
  const timer = setTimeout(() => {
    reject(new TransientError(`${what}: no answer within ${limitMs} ms`))
  }, limitMs)
  try {
    return await Promise.race([work, late])
  } finally {
    clearTimeout(timer)
  }
}
