/**
 * Publishing on one confirm channel. A call resolves only when RabbitMQ has confirmed every message of it
 * and has returned none: an unroutable mandatory message comes back *and* is confirmed, the return always
 * first. Nothing waits without limit, neither messages nor callers.
 */
import type { ConfirmChannel, Message } from 'amqplib'
import { UnroutableError } from './broker.ts'
import { messageOf, TransientError } from '../process/errors.ts'
import type { Letter } from './rabbitmq-message.ts'

/**
 * Longest wait for confirms. A quorum queue confirms in 10 ms under full load; 5 s covers a leader election
 * and leaves a stopping process half of its 10 s.
 */
const CONFIRM_TIMEOUT_MS = 5_000
/** Most messages unconfirmed at once: 8 shards × 1,000 of the relay, and as many again for dead letters. */
const UNCONFIRMED_MAX = 16_000

export type Publisher = {
  /** Publishes in order, all in flight at once. Rejects as `Broker.publish` does. */
  publish: (exchange: string, letters: readonly Letter[]) => Promise<void>
}

/**
 * Publishes on `channel`, which nobody else publishes on, until it closes. `onTimeout` is called when
 * confirms stay away for `confirmTimeoutMs`: the channel can no longer be relied on.
 */
export function createPublisher(
  channel: ConfirmChannel,
  onTimeout: () => void,
  confirmTimeoutMs: number = CONFIRM_TIMEOUT_MS,
): Publisher {
  let unconfirmed = 0
  // By message id, counted: the same event may be in flight twice.
  const returned = new Map<unknown, number>()
  channel.on('return', ({ properties: { messageId } }: Message) => {
    returned.set(messageId, (returned.get(messageId) ?? 0) + 1)
  })

  function takeReturned(id: string): boolean {
    const count = returned.get(id)
    if (count === undefined) return false
    if (count === 1) returned.delete(id)
    else returned.set(id, count - 1)
    return true
  }

  return {
    publish: (exchange, letters) => {
      if (letters.length === 0) return Promise.resolve()
      if (unconfirmed + letters.length > UNCONFIRMED_MAX) {
        return Promise.reject(
          new TransientError(`${unconfirmed} messages wait for confirms already`),
        )
      }
      const { promise, resolve, reject } = Promise.withResolvers<void>()
      const timer = setTimeout(() => {
        reject(new TransientError(`no confirm from RabbitMQ within ${confirmTimeoutMs} ms`))
        onTimeout()
      }, confirmTimeoutMs)
      const unroutable: Letter[] = []
      let left = letters.length
      let lost: unknown = null
      const confirmed = (letter: Letter, error: unknown): void => {
        unconfirmed -= 1
        left -= 1
        if (error !== null) lost = error
        else if (takeReturned(letter.id)) unroutable.push(letter)
        if (left > 0) return
        clearTimeout(timer)
        if (lost !== null) reject(notConfirmed(lost))
        else if (unroutable[0] === undefined) resolve()
        else
          reject(
            new UnroutableError(
              unroutable.map(({ id }) => id),
              unroutable[0].routingKey,
            ),
          )
      }
      try {
        for (const letter of letters) {
          const { routingKey, content, options } = letter
          channel.publish(exchange, routingKey, content, options, (error) =>
            confirmed(letter, error),
          )
          unconfirmed += 1
        }
      } catch (error) {
        // The channel closed under the loop, or a message cannot be encoded.
        clearTimeout(timer)
        reject(
          error instanceof Error && error.name === 'IllegalOperationError'
            ? notConfirmed(error)
            : error,
        )
      }
      return promise
    },
  }
}

function notConfirmed(cause: unknown): TransientError {
  return new TransientError(`RabbitMQ did not take the message: ${messageOf(cause)}`, { cause })
}
