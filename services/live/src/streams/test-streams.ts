/** A hub whose one item is in memory, behind a real server that speaks the streams of HTTP/1.1. */
import { once } from 'node:events'
import { createServer } from 'node:http'
import { noLimits } from '@bidmesh/platform/identity/call-limits.ts'
import { trusted } from '@bidmesh/platform/identity/principal.ts'
import { quietLog } from '@bidmesh/platform/testing/test-server.ts'
import { vi } from 'vitest'
import { Hub, type HubOptions } from '../feed/hub.ts'
import { watchesOf } from '../routes.ts'
import { type ChangeKind, createAuction } from '../feed/test-auction.ts'
import { createCallGuard } from '@bidmesh/platform/rpc/around-calls.ts'
import { createWatchStreams } from './watch-streams.ts'

/** @param description of the item, to make its snapshots large */
export async function startStreams(changes: Partial<HubOptions> = {}, description = '') {
  const auction = createAuction(description)
  auction.change('open')
  const nothing = () => undefined
  const hub = new Hub({
    readItems: async () => [auction.item()],
    findItems: async () => [],
    readVersions: async () => [],
    now: Date.now,
    viewersMax: 10,
    onOpened: nothing,
    onClosed: nothing,
    onJoined: nothing,
    onLeft: nothing,
    ...changes,
  })
  const events = { fellBehind: vi.fn<() => void>(), dropped: vi.fn<() => void>() }
  const streams = createWatchStreams({
    ...watchesOf(hub),
    redeem: async () => undefined,
    events,
    begin: createCallGuard({ log: quietLog, explain: [] }),
  })
  const server = createServer((request, response) => {
    if (!streams(request, response, trusted, noLimits)) response.writeHead(404).end()
  })
  await once(server.listen(0, '127.0.0.1'), 'listening')
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('not a TCP address')
  return {
    hub,
    events,
    port: address.port,
    item: auction.item,
    change: (kind: ChangeKind) => hub.receive(auction.change(kind)),
    stop: () => {
      server.close()
      server.closeAllConnections()
    },
  }
}
