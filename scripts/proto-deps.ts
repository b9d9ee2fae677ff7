/**
 * Prints `buf/validate/validate.proto` from the descriptor inside npm `@bufbuild/protovalidate` into the
 * ignored folder `.buf-deps/`, which `buf.yaml` names as a module: no schema registry is needed to build.
 * Only declarations are printed; the rules' own options matter at run time alone, and there the package's
 * descriptor is used.
 */
import { mkdirSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import type { DescEnum, DescExtension, DescField, DescFile, DescMessage } from '@bufbuild/protobuf'
import { ScalarType } from '@bufbuild/protobuf'
import { FieldDescriptorProto_Label } from '@bufbuild/protobuf/wkt'
import { file_buf_validate_validate } from '@bufbuild/protovalidate/gen/buf/validate/validate_pb.js'

const root = join(import.meta.dirname, '..')

/** Writes the declarations that our protos import and that no registry is asked for. */
export function writeProtoDeps(): void {
  const file = file_buf_validate_validate
  const path = join(root, '.buf-deps', file.proto.name)
  mkdirSync(dirname(path), { recursive: true })
  writeFileSync(path, printFile(file))
}

function printFile(file: DescFile): string {
  const lines = ['syntax = "proto2";', `package ${file.proto.package};`]
  for (const dependency of file.proto.dependency) lines.push(`import "${dependency}";`)
  for (const desc of file.enums) lines.push(...printEnum(desc))
  for (const desc of file.messages) lines.push(...printMessage(desc))
  for (const desc of file.extensions) {
    lines.push(`extend .${desc.extendee.typeName} {`, `  ${printField(desc)}`, '}')
  }
  return `${lines.join('\n')}\n`
}

function printEnum(desc: DescEnum): string[] {
  const values = desc.values.map((value) => `  ${value.name} = ${value.number};`)
  return [`enum ${desc.name} {`, ...values, '}']
}

function printMessage(desc: DescMessage): string[] {
  const inner = desc.fields.filter((field) => !field.oneof).map((field) => printField(field))
  for (const oneof of desc.oneofs) {
    inner.push(`oneof ${oneof.name} {`)
    for (const field of oneof.fields) inner.push(`  ${printField(field).replace(/^optional /, '')}`)
    inner.push('}')
  }
  for (const range of desc.proto.extensionRange) {
    inner.push(`extensions ${range.start} to ${(range.end ?? 0) - 1};`)
  }
  for (const nested of desc.nestedEnums) inner.push(...printEnum(nested))
  for (const nested of desc.nestedMessages) inner.push(...printMessage(nested))
  return [`message ${desc.name} {`, ...inner.map((line) => `  ${line}`), '}']
}

function printField(field: DescField | DescExtension): string {
  const label =
    field.proto.label === FieldDescriptorProto_Label.REPEATED
      ? 'repeated'
      : field.proto.label === FieldDescriptorProto_Label.REQUIRED
        ? 'required'
        : 'optional'
  return `${label} ${typeOf(field)} ${field.name.split('.').at(-1)} = ${field.number};`
}

function typeOf(field: DescField | DescExtension): string {
  if (field.message) return `.${field.message.typeName}`
  if (field.enum) return `.${field.enum.typeName}`
  if (field.scalar === undefined) throw new Error('a field without a type')
  return ScalarType[field.scalar].toLowerCase()
}

if (import.meta.main) writeProtoDeps()
