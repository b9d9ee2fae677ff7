/**
 * A process for the tests of `run-process.ts`: one component that says what happens to it, and that behaves as
 * the variable BEHAVE says, and with YIELDS=1 gives way to others.
 */
import { once } from 'node:events'
import { z } from 'zod'
import { processShape, readConfig, wholeNumber } from '../process/config.ts'
import { runProcess } from '../process/run-process.ts'
import { StartError } from '../process/start-error.ts'

const behaviours = [
  'well',
  'cannot',
  'break',
  'crash',
  'reject',
  'hang',
  'wait',
  'be late',
] as const

const shape = {
  ...processShape,
  LANES: wholeNumber(1, 64).default(4),
  BEHAVE: z.enum(behaviours).default('well'),
}

const say = (word: string) => process.stdout.write(`${word}\n`)

await runProcess({
  name: 'counting',
  config: () => readConfig(shape),
  yields: process.env['YIELDS'] === '1',
  start: async ({ BEHAVE }, { log, signal, onStop }) => {
    onStop(async () => void say('undone'))
    if (BEHAVE === 'cannot') throw new StartError('the data directory is in use')
    if (BEHAVE === 'break') throw new Error('broken', { cause: new Error('deep down') })
    if (BEHAVE === 'wait' || BEHAVE === 'be late') {
      log.warn({ reason: 'it is unavailable' }, 'waiting for Godot')
      say('waiting')
      await (BEHAVE === 'wait' ? once(signal, 'abort') : once(process, 'SIGUSR2'))
      signal.throwIfAborted()
    }
    const component = (name: string) => ({
      name,
      services: [],
      routes: () => undefined,
      check: async () => undefined,
      stop: async () => {
        say(`${name} stops`)
        if (BEHAVE === 'hang') await Promise.withResolvers<void>().promise
      },
    })
    return [component('first'), component('second')]
  },
  started: ({ url }, { BEHAVE }) => {
    say(`at ${url}`)
    if (BEHAVE === 'crash') {
      setImmediate(() => {
        throw new Error('out of nowhere')
      })
    }
    if (BEHAVE === 'reject') void Promise.reject(new Error('out of nowhere'))
  },
})
