/** What `@bidmesh/client` gives: the one file of this repository that only passes on, as the package's entrance. */
export { Code, ConnectError } from '@connectrpc/connect'
export { BidRejectionReason, ItemStatus } from '@bidmesh/gen/bids/v1/bid_service_pb.ts'
export { type BidmeshClient, type BidmeshOptions, createBidmeshClient } from './bidmesh-client.ts'
export { type CallPolicy, withPolicy } from './call-policy.ts'
export { bidRejectionOf } from './bid-rejection.ts'
export { errorInfoOf, retryDelayMsOf } from './errors.ts'
export { newKey } from './safe-calls.ts'
export { type Attention, type Connection, type WatchOptions } from './resumed-stream.ts'
