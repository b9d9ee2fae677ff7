/** The client for programs on Node that call much: over Node's own http, in binary, on connections that are kept. */
import type { Interceptor } from '@connectrpc/connect'
import { createConnectTransport, Http2SessionManager } from '@connectrpc/connect-node'
import * as core from './bidmesh-client.ts'

export type NodeOptions = Omit<core.BidmeshOptions, 'fetch' | 'transport'> & {
  /** Default '1.1'; '2' takes one connection for all calls and streams. */
  httpVersion?: '1.1' | '2'
  /** Of Connect, around every try of a call. */
  interceptors?: Interceptor[]
}

export type NodeClient = core.BidmeshClient & {
  /** Ends the connection of HTTP/2, which would keep the process for as long as it may be of use. */
  close: () => void
}

export function createBidmeshClient(options: NodeOptions): NodeClient {
  const { baseUrl, httpVersion = '1.1', interceptors = [] } = options
  const sessionManager = new Http2SessionManager(baseUrl)
  const transport = createConnectTransport({ baseUrl, httpVersion, sessionManager, interceptors })
  const client = core.createBidmeshClient({ ...options, transport })
  return { ...client, close: () => sessionManager.abort() }
}
