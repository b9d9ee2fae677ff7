/** A user as others see them: a face of initials and the name. */
import { Avatar, Group, Text } from '@mantine/core'
import { nameOf } from './person-name.ts'

export type PersonProps = { userId: string; you: boolean; size?: number }

export function Person({ userId, you, size = 26 }: PersonProps) {
  return (
    <Group gap="xs" wrap="nowrap" miw={0}>
      <Face userId={userId} size={size} />
      <Text span size="sm" truncate fw={you ? 650 : 400} title={nameOf(userId)}>
        {you ? `${userId} (you)` : nameOf(userId)}
      </Text>
    </Group>
  )
}

/** Those whose dark shade on their light one is easily read. */
const faceColors = ['blue', 'indigo', 'violet', 'grape', 'pink', 'red']

/** The name is told beside it. */
export function Face({ userId, size = 26 }: { userId: string; size?: number }) {
  return (
    <Avatar
      name={nameOf(userId)}
      color="initials"
      allowedInitialsColors={faceColors}
      size={size}
      aria-hidden
    />
  )
}
