/** A service that calls another, whose callers have tokens: its own is in a file, which changes. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { ItemSourceService } from '@bidmesh/gen/bids/v1/item_source_service_pb.ts'
import { createClient } from '@connectrpc/connect'
import { afterEach, expect, test } from 'vitest'
import type { Component } from '../process/component.ts'
import { TransientError } from '../process/errors.ts'
import { connectService } from '../rpc/service-client.ts'
import { eventually } from '../testing/eventually.ts'
import { audience, startTestIssuer } from '../testing/test-issuer.ts'
import { quietLog, startTestServer } from '../testing/test-server.ts'
import { checkTokens } from './authenticator.ts'

const undo: (() => unknown)[] = []
afterEach(async () => {
  for (const step of undo.splice(0).toReversed()) await step()
})

const component: Component = {
  name: 'bid',
  services: [ItemSourceService],
  routes: (router) =>
    router.service(ItemSourceService, { batchGetVersions: () => ({ versions: [7n] }) }),
  check: async () => undefined,
  stop: async () => undefined,
}

test('is known by what its file says now', async () => {
  const issuer = await startTestIssuer()
  const tokens = checkTokens({
    issuer: issuer.url,
    audiences: [audience],
    rolesClaim: 'roles',
    algorithms: ['RS256'],
    leewaySeconds: 0,
    log: quietLog,
  })
  const server = await startTestServer([component], tokens)
  const directory = await mkdtemp(join(tmpdir(), 'bidmesh-token-'))
  const file = join(directory, 'token')
  const { transport, close } = connectService('bid', [server.url], { tokenFile: file })
  undo.push(issuer.stop, tokens.stop, server.stop)
  undo.push(() => rm(directory, { recursive: true }), close)
  const ask = () => createClient(ItemSourceService, transport).batchGetVersions({})
  const failsWith = async (words: string) => {
    const error: unknown = await ask().catch((thrown: unknown) => thrown)
    // Of others' callers, none is to hear that they are not known: it is this service that is not.
    expect(error).toBeInstanceOf(TransientError)
    expect(String(error)).toContain(words)
  }
  await failsWith('SERVICE_TOKEN_FILE cannot be read')
  await writeFile(file, await issuer.token({ sub: 'ann', roles: ['bidder'] }))
  await eventually(() => failsWith('the bid service refuses this service'))
  await writeFile(file, `${await issuer.token({ sub: 'live', roles: ['service'] })}\n`)
  await eventually(async () => expect((await ask()).versions).toEqual([7n]))
})
