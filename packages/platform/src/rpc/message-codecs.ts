/** Messages as bytes and back, in both encodings. */
import {
  type DescMessage,
  fromBinary,
  fromJsonString,
  type JsonReadOptions,
  type MessageShape,
  toBinary,
} from '@bufbuild/protobuf'
import { Code, ConnectError } from '@connectrpc/connect'
import { messageOf } from '../process/errors.ts'
import { type JsonTextOptions, jsonWriter } from './json-text.ts'
import { strictTextDecoder } from './strict-json.ts'

export type Encoding = 'json' | 'proto'

/** Each throws INVALID_ARGUMENT. */
export function messageReaders<Desc extends DescMessage>(
  schema: Desc,
  jsonOptions: Partial<JsonReadOptions> = {},
): Record<Encoding, (bytes: Uint8Array) => MessageShape<Desc>> {
  const text = strictTextDecoder(schema)
  return {
    json: (bytes) => {
      const json = text.decode(bytes)
      try {
        return fromJsonString(schema, json, jsonOptions)
      } catch (error) {
        // It repeats names of fields, which may be halves of characters.
        throw new ConnectError(messageOf(error).toWellFormed(), Code.InvalidArgument)
      }
    },
    proto: (bytes) => {
      try {
        return fromBinary(schema, bytes)
      } catch (error) {
        const words = `the message is not what this procedure takes: ${messageOf(error)}`
        throw new ConnectError(words, Code.InvalidArgument)
      }
    },
  }
}

export function messageWriters<Desc extends DescMessage>(
  schema: Desc,
  jsonOptions: JsonTextOptions,
): Record<Encoding, (message: MessageShape<Desc>) => string | Uint8Array> {
  const toText = jsonWriter(schema, jsonOptions)
  return {
    // A line of its own in a terminal.
    json: (message) => `${toText(message)}\n`,
    proto: (message) => toBinary(schema, message),
  }
}
