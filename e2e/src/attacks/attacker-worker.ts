/** The attacker's end of `attacker-process.ts`. */
import { once } from 'node:events'
import { constants, setPriority } from 'node:os'
import type { AttackAnswer, AttackOrder } from './attacker-process.ts'
import { attackNamed } from './catalogue.ts'

// A real attacker has cores of its own; this one takes what the server and the bidders leave.
setPriority(constants.priority.PRIORITY_BELOW_NORMAL)

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
