/**
 * What can happen to an item, by the names under which it is published: the routing keys of the topic exchange. A
 * consumer binds to these or to patterns such as `item.*`.
 */
export const eventTypes = [
  'item.created',
  'item.updated',
  'item.opened',
  'bid.placed',
  'item.extended',
  'item.ended',
  'item.cancelled',
] as const

export type EventType = (typeof eventTypes)[number]
