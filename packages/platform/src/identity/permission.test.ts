/** Methods that do not say who may call them, or say it wrongly, are never served. */
import { createFileRegistry, type DescService, setExtension, create } from '@bufbuild/protobuf'
import {
  FileDescriptorProtoSchema,
  FileDescriptorSetSchema,
  MethodOptionsSchema,
} from '@bufbuild/protobuf/wkt'
import {
  Callers,
  Limit,
  permission,
  PermissionSchema,
  Role,
} from '@bidmesh/gen/auth/v1/permission_pb.ts'
import type { MessageInitShape } from '@bufbuild/protobuf'
import { expect, test } from 'vitest'
import { startTestServer } from '../testing/test-server.ts'
import { PermissionError, requirePermissions } from './permission.ts'

type Said = MessageInitShape<typeof PermissionSchema> | undefined

/** A service whose methods are as said, one each. */
function serviceOf(
  methods: Record<string, { said: Said; clientStreaming?: boolean }>,
): DescService {
  const file = create(FileDescriptorProtoSchema, {
    name: 'test.proto',
    package: 'test',
    syntax: 'proto3',
    messageType: [
      {
        name: 'Asked',
        field: [
          { name: 'user_id', number: 1, type: 9, label: 1, jsonName: 'userId' },
          { name: 'count', number: 2, type: 5, label: 1, jsonName: 'count' },
        ],
      },
    ],
    service: [
      {
        name: 'Test',
        method: Object.entries(methods).map(([name, { said, clientStreaming = false }]) => {
          const options = create(MethodOptionsSchema)
          if (said)
            setExtension(
              options,
              permission,
              create(PermissionSchema, { limit: Limit.READ, ...said }),
            )
          const types = { inputType: '.test.Asked', outputType: '.test.Asked' }
          return { name, ...types, options, clientStreaming }
        }),
      },
    ],
  })
  const found = createFileRegistry(create(FileDescriptorSetSchema, { file: [file] })).getService(
    'test.Test',
  )
  if (!found) throw new Error('no service')
  return found
}

test('what is said usably is taken, all faults are told at once', () => {
  const good = serviceOf({
    Public: { said: { callers: Callers.PUBLIC } },
    Own: { said: { callers: Callers.OWNER, callerField: 'user_id', roles: [Role.ANALYST] } },
  })
  requirePermissions([good])
  const bad = serviceOf({
    Silent: { said: undefined },
    Unset: { said: { roles: [Role.BIDDER] } },
    NoLimit: { said: { callers: Callers.PUBLIC, limit: Limit.UNSPECIFIED } },
    NoRoles: { said: { callers: Callers.ROLES } },
    NoOwner: { said: { callers: Callers.OWNER } },
    NoField: { said: { callers: Callers.OWNER, callerField: 'seller_id' } },
    NoText: { said: { callers: Callers.OWNER, callerField: 'count' } },
    Many: { said: { callers: Callers.PUBLIC, callerField: 'user_id' }, clientStreaming: true },
  })
  expect(() => requirePermissions([good, bad])).toThrow(
    new PermissionError(
      [
        'who may call, and how often, is not said:',
        '  test.Test/Silent: has no option (auth.v1.permission)',
        '  test.Test/Unset: callers is not set',
        '  test.Test/NoLimit: limit is not set',
        '  test.Test/NoRoles: CALLERS_ROLES needs roles',
        '  test.Test/NoOwner: owners need a caller_field',
        '  test.Test/NoField: seller_id is no string of its request',
        '  test.Test/NoText: count is no string of its request',
        '  test.Test/Many: a caller_field needs a single request',
      ].join('\n'),
    ),
  )
})

test.each([
  ['named', true],
  ['registered in silence', false],
])('a server does not start with such a method %s', async (_, isNamed) => {
  const service = serviceOf({ Silent: { said: undefined } })
  const started = startTestServer([
    {
      name: 'test',
      services: isNamed ? [service] : [],
      routes: (router) => router.service(service, {}),
      check: async () => undefined,
      stop: async () => undefined,
    },
  ])
  await expect(started).rejects.toThrow(PermissionError)
})
