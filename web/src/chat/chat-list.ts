/** One conversation from what was asked for, what the stream told and what was just sent. */
import type { ChatMessage } from '@bidmesh/gen/live/v1/live_service_pb.ts'

/** Every message once, oldest first. */
export function mergeChat(...lists: readonly (readonly ChatMessage[])[]): ChatMessage[] {
  const byId = new Map<string, ChatMessage>()
  for (const message of lists.flat()) byId.set(message.id, message)
  return [...byId.values()].toSorted((a, b) => compareIds(a.id, b.id))
}

/** Ids are a time in ms and a number within it, "1763717000123-0": as text "…-10" would be before "…-9". */
function compareIds(a: string, b: string): number {
  const [aTime = '', aNumber = ''] = a.split('-')
  const [bTime = '', bNumber = ''] = b.split('-')
  return Number(aTime) - Number(bTime) || Number(aNumber) - Number(bNumber)
}
