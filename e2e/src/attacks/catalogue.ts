/** All attacks, in the order in which they are run. */
import type { Attack } from './attack.ts'
import { idleConnections } from './idle-connections.ts'

export const attacks: readonly Attack[] = [idleConnections]

export function attackNamed(name: string): Attack | undefined {
  return attacks.find((attack) => attack.name === name)
}
