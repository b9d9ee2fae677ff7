/**
 * What the library's own handler costs: the bare Connect unary stack in one process. PlaceBid answers a
 * constant from memory; no interceptors, no validation, no database.
 */
import { createServer } from 'node:http'
import { BidService } from '@bidmesh/gen/bids/v1/bid_service_pb.ts'
import { connectNodeAdapter } from '@connectrpc/connect-node'
import { constantAnswer } from './constant-answer.ts'

const server = createServer(
  connectNodeAdapter({
    routes: (router) => router.service(BidService, { placeBid: () => constantAnswer }),
    fallback: (_request, response) => response.end('ready'),
  }),
)
server.listen(Number(process.env['PORT']), '127.0.0.1')
process.once('disconnect', () => process.exit(0))
