/** The client for programs on Node that call much: over Node's own http, in binary, on connections that are kept. */
import { createConnectTransport } from '@connectrpc/connect-node'
import * as core from './bidmesh-client.ts'

export type NodeOptions = Omit<core.BidmeshOptions, 'fetch' | 'transport'> & {
  /** Default '1.1'; '2' takes one connection for all calls and streams. */
  httpVersion?: '1.1' | '2'
}

export function createBidmeshClient(options: NodeOptions): core.BidmeshClient {
  const { baseUrl, httpVersion = '1.1' } = options
  return core.createBidmeshClient({
    ...options,
    transport: createConnectTransport({ baseUrl, httpVersion }),
  })
}
