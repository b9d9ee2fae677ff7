/** An attack in a process of its own: what it costs the attacker must not slow the measurement. */
import { fork } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { endProcess } from '@bidmesh/platform/process/process-end.ts'
import type { AttackContext } from './attack.ts'

/** Above the attack's own time: building up 20,000 streams on a busy machine. */
const EXTRA_LIMIT_MS = 10_000

export type AttackOrder = Omit<AttackContext, 'signal'> & { name: string; attackMs: number }
export type AttackAnswer = { did?: string; error?: string }

/** Resolves with what the attack did, once its process and all its connections are gone. */
export async function runAttacker(order: AttackOrder): Promise<string> {
  const child = fork(fileURLToPath(import.meta.resolve('./attacker-worker.ts')))
  const exited = once(child, 'exit')
  const answered = once(child, 'message').then(([answer]: AttackAnswer[]) => answer)
  child.send(order)
  const limit = setTimeout(() => child.kill('SIGKILL'), order.attackMs + EXTRA_LIMIT_MS)
  const died = exited.then((): AttackAnswer => ({ error: 'its process ended' }))
  const answer = await Promise.race([answered, died])
  clearTimeout(limit)
  await endProcess(child.pid ?? 0, [{ signal: 'SIGKILL', limitMs: EXTRA_LIMIT_MS }])
  if (answer?.did === undefined) throw new Error(`${order.name}: ${answer?.error ?? 'no answer'}`)
  return answer.did
}
