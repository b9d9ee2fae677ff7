/** What a page shows when it has nothing to show: loading, nothing there, something went wrong. */
import { Alert, Button, Center, Stack, Text } from '@mantine/core'
import { IconAlertTriangle } from '@tabler/icons-react'
import type { ReactNode } from 'react'
import { wordsFor } from '../app/errors.ts'

export function EmptyState({ title, children }: { title: string; children?: ReactNode }) {
  return (
    <Center py="xl">
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
  return <Fault words={wordsFor(error)} button={retry && { label: 'Try again', onClick: retry }} />
}

/** Instead of a page that cannot be shown. */
export function BrokenPage() {
  const reload = (): void => window.location.reload()
  return (
    <Fault
      words="This page cannot be shown. Reload it, or go to another one."
      button={{ label: 'Reload', onClick: reload }}
    />
  )
}

type FaultProps = { words: string; button: { label: string; onClick: () => void } | undefined }

function Fault({ words, button }: FaultProps) {
  return (
    <Alert
      color="red"
      icon={<IconAlertTriangle aria-hidden />}
      title="Something went wrong"
      role="alert"
    >
      <Stack align="flex-start" gap="sm">
        {words}
        {button && (
          <Button size="xs" variant="light" color="red" onClick={button.onClick}>
            {button.label}
          </Button>
        )}
      </Stack>
    </Alert>
  )
}
