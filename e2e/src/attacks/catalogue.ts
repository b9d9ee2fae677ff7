/** All attacks, in the order in which they are run. */
import type { Attack } from './attack.ts'
import { chatFlood } from './chat-flood.ts'
import { frameFloods } from './frame-floods.ts'
import { healthWatches, reflectionStreams } from './grpc-streams.ts'
import { halfSentBodiesHttp1, halfSentBodiesHttp2 } from './half-sent-bodies.ts'
import { hpackBomb } from './hpack-bomb.ts'
import { idleConnections } from './idle-connections.ts'
import { decompressionBombs, hugeBodies } from './large-bodies.ts'
import { listStreams } from './list-streams.ts'
import { rapidResets } from './rapid-resets.ts'
import { slowBodies, slowHeads } from './slow-requests.ts'
import { unreadAnswersHttp1, unreadAnswersHttp2 } from './unread-answers.ts'
import { viewerChurn } from './viewer-churn.ts'

export const attacks: readonly Attack[] = [
  idleConnections,
  slowHeads,
  slowBodies,
  halfSentBodiesHttp1,
  halfSentBodiesHttp2,
  unreadAnswersHttp1,
  unreadAnswersHttp2,
  healthWatches,
  reflectionStreams,
  rapidResets,
  hpackBomb,
  ...frameFloods,
  decompressionBombs,
  hugeBodies,
  chatFlood,
  listStreams,
  viewerChurn,
]

export function attackNamed(name: string): Attack | undefined {
  return attacks.find((attack) => attack.name === name)
}
