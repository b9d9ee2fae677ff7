/**
 * What our own plumbing costs without a database: a process as every service is, with tracing, translation of errors,
 * validation and limits, whose PlaceBid answers a constant from memory.
 */
import { explainRejection } from '@bidmesh/bid/explain-rejection.ts'
import { BidService } from '@bidmesh/gen/bids/v1/bid_service_pb.ts'
import type { Component } from '@bidmesh/platform/process/component.ts'
import { authShape, processShape, readConfig } from '@bidmesh/platform/process/config.ts'
import { runProcess } from '@bidmesh/platform/process/run-process.ts'
import { constantAnswer } from './constant-answer.ts'

const responder: Component = {
  name: 'responder',
  services: [BidService],
  urgent: [BidService.method.placeBid],
  routes: (router) => router.service(BidService, { placeBid: () => constantAnswer }),
  explainError: explainRejection,
  check: () => Promise.resolve(),
  stop: () => Promise.resolve(),
}

await runProcess({
  name: 'responder',
  config: () => readConfig({ ...processShape, ...authShape() }),
  start: () => Promise.resolve([responder]),
})
