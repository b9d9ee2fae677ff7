/** What viewers say to each other: history, what the stream tells, and a message to write. */
import { isYou } from '../ui/person-name.ts'
import { Box, Button, Center, Loader, Stack, Text } from '@mantine/core'
import type { UseInfiniteQueryResult } from '@tanstack/react-query'
import { useEffect, useMemo, useRef, useState } from 'react'
import { useInfiniteQuery } from '@connectrpc/connect-query'
import { type ChatMessage, LiveService } from '@bidmesh/gen/live/v1/live_service_pb.ts'
import { ChatForm } from './chat-form.tsx'
import { ChatMessageRow } from './chat-message-row.tsx'
import { mergeChat } from './chat-list.ts'
import type { Connection } from '../app/follow-stream.ts'
import { SignInButton } from '../app/user-menu.tsx'
import { Section } from '../ui/section.tsx'
import { ErrorState } from '../ui/states.tsx'
import { useStayAtEnd } from './use-stay-at-end.ts'
import styles from '../item/item-page.module.css'

const PAGE_SIZE = 50

export type ChatPanelProps = {
  itemId: string
  userId: string
  live: readonly ChatMessage[]
  connection: Connection
}

export function ChatPanel({ itemId, userId, live, connection }: ChatPanelProps) {
  const [sent, setSent] = useState<readonly ChatMessage[]>([])
  const history = useInfiniteQuery(
    LiveService.method.listChatMessages,
    { itemId, pageSize: PAGE_SIZE, pageToken: '' },
    {
      pageParamKey: 'pageToken',
      getNextPageParam: (page) => page.nextPageToken || undefined,
      // First the stream, then what was before: nothing is said in between unheard.
      enabled: connection !== 'connecting',
      staleTime: 0,
    },
  )
  useAgainAfterLoss(connection, history.refetch)
  const pages = history.data?.pages
  const messages = useMemo(
    () => mergeChat(...(pages?.map((page) => page.messages) ?? []), live, sent),
    [pages, live, sent],
  )
  const { ref, onScroll, behind, toEnd } = useStayAtEnd(messages)
  return (
    <Section title="Chat">
      <Box
        ref={ref}
        className={styles['chat'] ?? ''}
        onScroll={onScroll}
        tabIndex={0}
        role="log"
        aria-label="Chat messages"
        pos="relative"
      >
        <Messages {...{ messages, history, userId }} />
      </Box>
      {/* Over the messages: nothing moves, and nothing is kept free for it. */}
      <Box h={0} ta="center" mb="sm" pos="relative">
        {behind && (
          <Button
            size="compact-xs"
            pos="absolute"
            bottom={4}
            left="50%"
            style={{ transform: 'translateX(-50%)' }}
            onClick={toEnd}
          >
            New messages
          </Button>
        )}
      </Box>
      {userId === '' ? (
        <SignInButton>Sign in to write</SignInButton>
      ) : (
        <ChatForm
          itemId={itemId}
          userId={userId}
          onSent={(message) => setSent((before) => [...before, message])}
        />
      )}
    </Section>
  )
}

type MessagesProps = {
  messages: readonly ChatMessage[]
  history: Pick<
    UseInfiniteQueryResult,
    'hasNextPage' | 'isFetchingNextPage' | 'fetchNextPage' | 'error' | 'refetch' | 'isPending'
  >
  userId: string
}

function Messages({ messages, history, userId }: MessagesProps) {
  if (messages.length === 0) return <NoMessages history={history} />
  return (
    <Stack gap="sm">
      {history.hasNextPage && (
        <Button
          size="compact-xs"
          variant="subtle"
          mx="auto"
          loading={history.isFetchingNextPage}
          onClick={() => void history.fetchNextPage()}
        >
          Show earlier
        </Button>
      )}
      {messages.map((message) => (
        <ChatMessageRow key={message.id} message={message} you={isYou(message.userId, userId)} />
      ))}
    </Stack>
  )
}

function NoMessages({ history }: Pick<MessagesProps, 'history'>) {
  if (history.error)
    return <ErrorState error={history.error} retry={() => void history.refetch()} />
  return (
    <Center py="sm">
      {history.isPending ? (
        <Loader size="sm" role="status" aria-label="Loading the chat" />
      ) : (
        <Text c="dimmed">No messages yet.</Text>
      )}
    </Center>
  )
}

/** What was said while the connection was lost is asked for. */
function useAgainAfterLoss(connection: Connection, ask: () => unknown): void {
  const lost = useRef(false)
  useEffect(() => {
    if (connection === 'lost') lost.current = true
    if (connection !== 'live' || !lost.current) return
    lost.current = false
    ask()
  }, [connection, ask])
}
