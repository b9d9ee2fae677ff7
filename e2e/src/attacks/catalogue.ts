/** All attacks, in the order in which they are run. */
import type { Attack } from './attack.ts'
import { idleConnections } from './idle-connections.ts'
import { chatFlood } from './chat-flood.ts'
import { listStreams } from './list-streams.ts'
import { viewerChurn } from './viewer-churn.ts'

export const attacks: readonly Attack[] = [idleConnections, chatFlood, listStreams, viewerChurn]

export function attackNamed(name: string): Attack | undefined {
  return attacks.find((attack) => attack.name === name)
}
