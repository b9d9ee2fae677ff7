/** One message of a chat. */
import { nameOf } from '../ui/person-name.ts'
import { Group, Text } from '@mantine/core'
import { timestampMs } from '@bufbuild/protobuf/wkt'
import type { ChatMessage } from '@bidmesh/gen/live/v1/live_service_pb.ts'
import { formatWhen } from '../item/item-words.ts'
import { Face } from '../ui/person.tsx'
import { serverNow } from '../app/server-time.tsx'

export function ChatMessageRow({ message, you }: { message: ChatMessage; you: boolean }) {
  const { userId, text, sentAt } = message
  return (
    <Group align="flex-start" gap="xs" wrap="nowrap">
      <Face userId={userId} />
      <div style={{ minWidth: 0 }}>
        <Group gap="xs" wrap="nowrap">
          <Text span size="sm" fw={650} truncate>
            {you ? `${userId} (you)` : nameOf(userId, 'Somebody')}
          </Text>
          <Text span size="xs" c="dimmed" style={{ whiteSpace: 'nowrap' }}>
            {sentAt && formatWhen(timestampMs(sentAt), serverNow())}
          </Text>
        </Group>
        <Text size="sm" style={{ overflowWrap: 'anywhere', whiteSpace: 'pre-wrap' }}>
          {text}
        </Text>
      </div>
    </Group>
  )
}
