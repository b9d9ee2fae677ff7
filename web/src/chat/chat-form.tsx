/** A message to write to everybody who watches an item. What was written stays until it is sent. */
import { ActionIcon, Loader, TextInput } from '@mantine/core'
import { IconSend } from '@tabler/icons-react'
import { type SubmitEvent, useState } from 'react'
import { useMutation } from '@connectrpc/connect-query'
import { type ChatMessage, LiveService } from '@bidmesh/gen/live/v1/live_service_pb.ts'
import { wordsFor } from '../app/errors.ts'

/** The server's limit. */
const TEXT_MAX_LENGTH = 500

export type ChatFormProps = {
  itemId: string
  userId: string
  onSent: (message: ChatMessage) => void
}

export function ChatForm({ itemId, userId, onSent }: ChatFormProps) {
  const [text, setText] = useState('')
  const { mutate, isPending, error } = useMutation(LiveService.method.sendChatMessage, {
    networkMode: 'always',
  })
  const submit = (event: SubmitEvent): void => {
    event.preventDefault()
    if (isPending || text.trim() === '') return
    mutate(
      { itemId, userId, text: text.trim() },
      {
        onSuccess: ({ message }) => {
          if (message) onSent(message)
          setText('')
        },
      },
    )
  }
  return (
    <form onSubmit={submit} aria-label="Chat">
      <TextInput
        aria-label="Your message"
        placeholder={`Message as ${userId}`}
        value={text}
        maxLength={TEXT_MAX_LENGTH}
        autoComplete="off"
        readOnly={isPending}
        onChange={(event) => setText(event.currentTarget.value)}
        error={error && `Not sent. ${wordsFor(error)}`}
        rightSection={
          <ActionIcon
            type="submit"
            variant="subtle"
            aria-label="Send"
            aria-busy={isPending}
            aria-disabled={text.trim() === ''}
          >
            {isPending ? <Loader size={16} /> : <IconSend size={18} />}
          </ActionIcon>
        }
      />
    </form>
  )
}
