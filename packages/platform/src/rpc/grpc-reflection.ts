/**
 * gRPC server reflection (v1, and v1alpha for older tools): `buf curl` and grpcurl learn the procedures of
 * a process from the process itself. Descriptors are the compiled ones of the services and all they
 * import, so that what is told is what is served. Protocol:
 * https://github.com/grpc/grpc/blob/master/doc/server-reflection.md
 */
import { createRegistry, toBinary } from '@bufbuild/protobuf'
import type { DescExtension, DescFile, DescService, Registry } from '@bufbuild/protobuf'
import { FileDescriptorProtoSchema } from '@bufbuild/protobuf/wkt'
import { Code, ConnectError } from '@connectrpc/connect'
import type { ConnectRouter } from '@connectrpc/connect'
import { Health } from '@bidmesh/gen/grpc/health/v1/health_pb.ts'
import { ServerReflection } from '@bidmesh/gen/grpc/reflection/v1/reflection_pb.ts'
import { ServerReflection as ServerReflectionAlpha } from '@bidmesh/gen/grpc/reflection/v1alpha/reflection_pb.ts'

export const reflectionServices: readonly DescService[] = [ServerReflection, ServerReflectionAlpha]

// The two versions differ in their package name alone. These are the parts of both that matter here.
type Question =
  | { case: 'listServices' | 'fileByFilename'; value: string }
  | { case: 'fileContainingSymbol' | 'allExtensionNumbersOfType'; value: string }
  | { case: 'fileContainingExtension'; value: { containingType: string; extensionNumber: number } }
  | { case: undefined }
type Answer =
  | { case: 'listServicesResponse'; value: { service: { name: string }[] } }
  | { case: 'fileDescriptorResponse'; value: { fileDescriptorProto: Uint8Array[] } }
  | {
      case: 'allExtensionNumbersResponse'
      value: { baseTypeName: string; extensionNumber: number[] }
    }
  | { case: 'errorResponse'; value: { errorCode: number; errorMessage: string } }

/** Tools ask one at a time, and for a moment. */
export const REFLECTIONS_MAX = 32

/**
 * Adds both versions of reflection for `services`, health and reflection itself.
 *
 * @param held files of messages that no service names: what an `Any` may hold
 */
export function registerReflection(
  router: ConnectRouter,
  services: readonly DescService[],
  held: readonly DescFile[],
): void {
  const all = [...services, Health, ...reflectionServices]
  const answer = createAnswers(all, held)
  let open = 0
  /** Answers one question after the other, for at most so many callers at once. */
  async function* answerAll<Request extends { host: string; messageRequest: Question }>(
    requests: AsyncIterable<Request>,
  ) {
    if (open >= REFLECTIONS_MAX) {
      const message = `${REFLECTIONS_MAX} callers ask already: try again`
      throw new ConnectError(message, Code.ResourceExhausted)
    }
    open += 1
    try {
      for await (const request of requests) {
        const messageResponse = answer(request.messageRequest)
        yield { validHost: request.host, originalRequest: request, messageResponse }
      }
    } finally {
      open -= 1
    }
  }
  router.service(ServerReflection, { serverReflectionInfo: (requests) => answerAll(requests) })
  router.service(ServerReflectionAlpha, { serverReflectionInfo: (requests) => answerAll(requests) })
}

function createAnswers(
  services: readonly DescService[],
  held: readonly DescFile[],
): (question: Question) => Answer {
  const files = withImports([...services.map((service) => service.file), ...held])
  const registry = createRegistry(...files.values())
  return (question) => {
    switch (question.case) {
      case 'listServices': {
        const service = services.map((one) => ({ name: one.typeName }))
        return { case: 'listServicesResponse', value: { service } }
      }
      case 'fileByFilename':
        return fileAnswer(files.get(question.value), question.value)
      case 'fileContainingSymbol': {
        // A field or method is found by the type that holds it.
        const holder = question.value.slice(0, question.value.lastIndexOf('.'))
        const type = registry.get(question.value) ?? registry.get(holder)
        return fileAnswer(type?.file, question.value)
      }
      case 'fileContainingExtension': {
        const { containingType, extensionNumber } = question.value
        const found = extensionsOf(registry, containingType).find(
          (one) => one.number === extensionNumber,
        )
        return fileAnswer(found?.file, `extension ${extensionNumber} of ${containingType}`)
      }
      case 'allExtensionNumbersOfType': {
        const baseTypeName = question.value
        if (!registry.get(baseTypeName)) return notFound(baseTypeName)
        const extensionNumber = extensionsOf(registry, baseTypeName).map((one) => one.number)
        return { case: 'allExtensionNumbersResponse', value: { baseTypeName, extensionNumber } }
      }
      case undefined:
      default:
        return notFound('a question of this kind')
    }
  }
}

function notFound(what: string): Answer {
  const value = { errorCode: Code.NotFound, errorMessage: `${what} is not known here` }
  return { case: 'errorResponse', value }
}

/** The file and all it imports: a client then needs no second question. */
function fileAnswer(file: DescFile | undefined, what: string): Answer {
  if (!file) return notFound(what)
  const wanted = [...withImports([file]).values()]
  const fileDescriptorProto = wanted.map(descriptorBytes)
  return { case: 'fileDescriptorResponse', value: { fileDescriptorProto } }
}

/** Written once: whoever asks a thousand times costs no more than the bytes. */
const written = new Map<DescFile, Uint8Array>()

function descriptorBytes(file: DescFile): Uint8Array {
  const bytes = written.get(file) ?? toBinary(FileDescriptorProtoSchema, file.proto)
  written.set(file, bytes)
  return bytes
}

function extensionsOf(registry: Registry, typeName: string): DescExtension[] {
  return [...registry]
    .filter((type) => type.kind === 'extension')
    .filter((extension) => extension.extendee.typeName === typeName)
}

/** By the names that imports use. */
function withImports(files: readonly DescFile[], found = new Map<string, DescFile>()) {
  for (const file of files) {
    if (found.has(file.proto.name)) continue
    found.set(file.proto.name, file)
    withImports(file.dependencies, found)
  }
  return found
}
