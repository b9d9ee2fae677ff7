import { Code, ConnectError } from '@connectrpc/connect'
import { expect, it } from 'vitest'
import { wordsFor } from './errors.ts'

it('tells a busy server from a person who is too fast', () => {
  const busy = new ConnectError('too many viewers', Code.ResourceExhausted)
  expect(wordsFor(busy)).toBe('The server is very busy. Try again in a moment.')
  const message = 'you write faster than others can read: send it again in 1 s'
  const fast = new ConnectError(message, Code.ResourceExhausted, { 'retry-after': '1' })
  expect(wordsFor(fast)).toBe('You write faster than others can read: send it again in 1 s.')
})
