/** The attacker's end of `attacker-process.ts`. */
import { execFileSync } from 'node:child_process'
import { once } from 'node:events'
import type { AttackAnswer, AttackOrder } from './attacker-process.ts'
import { attackNamed } from './catalogue.ts'

// A real attacker has cores of its own; this one takes what the server, its Postgres and the bidders leave.
execFileSync('chrt', ['--idle', '--all-tasks', '--pid', '0', String(process.pid)])

// An attack whose connections were all cut waits for its time to be over; that timer holds no process.
const alive = setInterval(() => undefined, 1_000)
const [order]: AttackOrder[] = await once(process, 'message')
if (order === undefined) throw new Error('no order')
const answer = await attack(order)
process.send?.(answer)
clearInterval(alive)

async function attack({ name, attackMs, ...target }: AttackOrder): Promise<AttackAnswer> {
  try {
    const signal = AbortSignal.timeout(attackMs)
    return { did: (await attackNamed(name)?.run({ ...target, signal })) ?? 'no such attack' }
  } catch (error) {
    return { error: error instanceof Error ? (error.stack ?? error.message) : String(error) }
  }
}
