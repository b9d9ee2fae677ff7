/**
 * One server for the suite, which starts many: it says on stdin what to serve, gets the port on stdout, and ends
 * the process with SIGTERM. Both messages follow their length in four bytes.
 */
import { buffer } from 'node:stream/consumers'
import { create, fromBinary, toBinary } from '@bufbuild/protobuf'
import { trustEverybody } from '@bidmesh/platform/identity/authenticator.ts'
import { createLog } from '@bidmesh/platform/process/log.ts'
import { startServer } from '@bidmesh/platform/server/server.ts'
import {
  ServerCompatRequestSchema,
  ServerCompatResponseSchema,
} from './gen/connectrpc/conformance/v1/server_compat_pb.ts'
import {
  ConformanceService,
  file_connectrpc_conformance_v1_service,
} from './gen/connectrpc/conformance/v1/service_pb.ts'
import { conformanceService } from './service.ts'

const LENGTH_BYTES = 4

const question = (await buffer(process.stdin)).subarray(LENGTH_BYTES)
const { messageReceiveLimit } = fromBinary(ServerCompatRequestSchema, question)
const host = '127.0.0.1'
const server = await startServer({
  authenticator: trustEverybody,
  host,
  port: 0,
  components: [
    {
      name: 'conformance',
      services: [ConformanceService],
      forAnybody: [ConformanceService],
      held: [file_connectrpc_conformance_v1_service],
      routes: (router) =>
        void router.service(ConformanceService, conformanceService, {
          readMaxBytes: messageReceiveLimit,
        }),
      check: async () => undefined,
      stop: async () => undefined,
    },
  ],
  // Stdout is the suite's.
  log: createLog({ name: 'conformance', level: 'silent' }),
  metricsText: async () => '',
})
process.once('SIGTERM', () => void server.stop())

const answer = create(ServerCompatResponseSchema, { host, port: server.port })
const bytes = toBinary(ServerCompatResponseSchema, answer)
const length = Buffer.alloc(LENGTH_BYTES)
length.writeUInt32BE(bytes.length)
process.stdout.write(Buffer.concat([length, bytes]))
