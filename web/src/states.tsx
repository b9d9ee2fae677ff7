/** What a page shows when it has nothing to show: loading, nothing there, something went wrong. */
import { Alert, Button, Center, Stack, Text } from '@mantine/core'
import { IconAlertTriangle } from '@tabler/icons-react'
import type { ReactNode } from 'react'
import { wordsFor } from './errors.ts'

export function EmptyState({ title, children }: { title: string; children?: ReactNode }) {
  return (
    <Center mih={240}>
      <Stack align="center" gap="xs" maw={420} ta="center">
        <Text fw={600} size="lg">
          {title}
        </Text>
        <Text c="dimmed" component="div">
          {children}
        </Text>
      </Stack>
    </Center>
  )
}

export function ErrorState({ error, retry }: { error: unknown; retry?: () => void }) {
  return (
    <Alert
      color="red"
      icon={<IconAlertTriangle aria-hidden />}
      title="That did not work"
      role="alert"
    >
      <Stack align="flex-start" gap="sm">
        {wordsFor(error)}
        {retry && (
          <Button size="xs" variant="light" color="red" onClick={retry}>
            Try again
          </Button>
        )}
      </Stack>
    </Alert>
  )
}
