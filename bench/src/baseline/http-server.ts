/** What Node's HTTP and JSON cost, before anything is built on them: a bare server that answers a constant. */
import { toJsonString } from '@bufbuild/protobuf'
import { PlaceBidResponseSchema } from '@bidmesh/gen/bids/v1/bid_service_pb.ts'
import { serveBids } from './bare-server.ts'
import { constantAnswer } from './constant-answer.ts'

const body = toJsonString(PlaceBidResponseSchema, constantAnswer)

serveBids((_bid, respond) => respond(200, body))
