import { expect, test } from 'vitest'
import { failureKind, isAboutMessage, TransientError } from './errors.ts'

const coded = (code: string) => Object.assign(new Error('from elsewhere'), { code })

test.each([
  ['a value out of range', coded('22003'), 'data', true],
  ['a broken constraint', coded('23514'), 'data', true],
  ['a message that cannot be read', new TypeError('x is undefined'), undefined, true],
  ['an argument Node refuses', coded('ERR_OUT_OF_RANGE'), undefined, true],
  ['a server that only reads', coded('25006'), 'unavailable', false],
  ['a missing table', coded('42P01'), 'unavailable', false],
  ['a missing column', coded('42703'), 'unavailable', false],
  ['a right taken unavailable', coded('42501'), 'unavailable', false],
  ['a full disk', coded('53100'), 'unavailable', false],
  ['too many connections', coded('53300'), 'unavailable', false],
  ['a server that shuts down', coded('57P01'), 'unavailable', false],
  ['a statement cancelled', coded('57014'), 'unavailable', false],
  ['a server that cannot read its files', coded('58030'), 'unavailable', false],
  ['a changed password', coded('28P01'), 'unavailable', false],
  ['a dropped database', coded('3D000'), 'unavailable', false],
  ['a corrupted index', coded('XX002'), 'unavailable', false],
  ['a plan that is out of date', coded('0A000'), 'unavailable', false],
  ['a lost connection', coded('CONNECTION_CLOSED'), 'unavailable', false],
  ['a broken pipe', coded('EPIPE'), 'unavailable', false],
  ['what says so itself', new TransientError('unavailable'), 'unavailable', false],
  ['a deadlock', coded('40P01'), 'contention', false],
  ['a lock not granted', coded('55P03'), 'contention', false],
  ['an object in use', coded('55006'), 'unavailable', false],
  ['our own bad SQL', coded('42601'), undefined, false],
  ['a trigger that raises', coded('P0001'), undefined, false],
] as const)('%s', (_what, error, kind, aboutMessage) => {
  expect(failureKind(error)).toBe(kind)
  expect(isAboutMessage(error)).toBe(aboutMessage)
})
