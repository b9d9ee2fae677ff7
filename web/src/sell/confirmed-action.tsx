/** What a seller can do to a listing of their own, each only after a second thought. */
import { Button, type ButtonProps, Group, Modal, Paper, Stack, Text, Title } from '@mantine/core'
import { useDisclosure } from '@mantine/hooks'
import type { ReactNode, SubmitEvent } from 'react'
import { ErrorState } from '../ui/states.tsx'

export type ActionSectionProps = {
  title: string
  /** When it can be done, or why not. */
  words: string
  possible: boolean
  button: ButtonProps & { words: string }
  question: string
  /** The form of the second thought; `close` is the way back. */
  children: (close: () => void) => ReactNode
}

export function ActionSection(props: ActionSectionProps) {
  const { title, words, possible, question, children } = props
  const { words: label, ...look } = props.button
  const [opened, dialog] = useDisclosure(false)
  return (
    <Paper withBorder p="md" component="section" aria-label={title}>
      <Group justify="space-between" gap="sm">
        <Stack gap={2}>
          <Title order={2} size="h4">
            {title}
          </Title>
          <Text size="sm" c="dimmed">
            {words}
          </Text>
        </Stack>
        {possible && (
          <Button variant="default" {...look} onClick={dialog.open}>
            {label}
          </Button>
        )}
      </Group>
      <Modal
        opened={opened}
        onClose={dialog.close}
        title={question}
        centered
        closeButtonProps={{ 'aria-label': 'Close' }}
      >
        {children(dialog.close)}
      </Modal>
    </Paper>
  )
}

export type ConfirmationProps = {
  /** What happens, and the way back. */
  yes: ButtonProps & { words: string }
  no: string
  keep: () => void
  submit: () => void
  isPending: boolean
  /** Of the last try. */
  error: unknown
  children: ReactNode
}

export function Confirmation(props: ConfirmationProps) {
  const { no, keep, submit, isPending, error, children } = props
  const { words, ...look } = props.yes
  const onSubmit = (event: SubmitEvent): void => {
    event.preventDefault()
    if (!isPending) submit()
  }
  return (
    <form noValidate onSubmit={onSubmit}>
      <Stack gap="md">
        {children}
        {error !== null && <ErrorState error={error} />}
        <Group justify="flex-end" gap="sm">
          <Button variant="default" onClick={keep}>
            {no}
          </Button>
          <Button type="submit" {...look} loading={isPending}>
            {words}
          </Button>
        </Group>
      </Stack>
    </form>
  )
}
