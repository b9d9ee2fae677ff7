/** The detail that tells programs why a call was rejected: a `google.rpc.ErrorInfo`. */
import { create } from '@bufbuild/protobuf'
import { ErrorInfoSchema } from '@bidmesh/gen/google/rpc/error_details_pb.ts'

/** Whose reasons they are. */
const ERROR_DOMAIN = 'bidmesh'

/** @param reason in snake case; it is told in capitals */
export function errorInfo(reason: string, metadata: Record<string, string> = {}) {
  const value = { reason: reason.toUpperCase(), domain: ERROR_DOMAIN, metadata }
  return { desc: ErrorInfoSchema, value: create(ErrorInfoSchema, value) }
}
