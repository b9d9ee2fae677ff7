/** Taking an item back: only while nobody has bid, and only after a second thought. */
import { Button, Group, Modal, Paper, Stack, Text, Textarea, Title } from '@mantine/core'
import { useDisclosure } from '@mantine/hooks'
import { create } from '@bufbuild/protobuf'
import { useMutation } from '@connectrpc/connect-query'
import {
  BidService,
  CancelItemRequestSchema,
  type Item,
} from '@bidmesh/gen/bids/v1/bid_service_pb.ts'
import { type SubmitEvent, useState } from 'react'
import { useLocation } from 'wouter'
import { brokenRules } from './field-rules.ts'
import { useForgetItems } from './item-form.tsx'
import { ErrorState } from './states.tsx'
import { useUser } from './user.tsx'

export function CancelItem({ item }: { item: Item }) {
  const [opened, dialog] = useDisclosure(false)
  const possible = item.bidCount === 0n
  return (
    <Paper withBorder p="md" component="section" aria-labelledby="cancel-title">
      <Group justify="space-between" gap="sm">
        <Stack gap={2}>
          <Title order={2} size="h4" id="cancel-title">
            Cancel listing
          </Title>
          <Text size="sm" c="dimmed">
            {possible
              ? 'You can cancel while there are no bids. This cannot be undone.'
              : 'There are bids: the listing can no longer be cancelled.'}
          </Text>
        </Stack>
        {possible && (
          <Button variant="default" c="red" onClick={dialog.open}>
            Cancel listing…
          </Button>
        )}
      </Group>
      <Modal
        opened={opened}
        onClose={dialog.close}
        title="Cancel this listing?"
        centered
        closeButtonProps={{ 'aria-label': 'Close' }}
      >
        <Confirmation item={item} keep={dialog.close} />
      </Modal>
    </Paper>
  )
}

function Confirmation({ item, keep }: { item: Item; keep: () => void }) {
  const [, navigate] = useLocation()
  const forgetItems = useForgetItems()
  const { userId } = useUser()
  const [reason, setReason] = useState('')
  const request = create(CancelItemRequestSchema, {
    id: item.id,
    reason: reason.trim(),
    userId,
  })
  const fault = brokenRules(CancelItemRequestSchema, request).get('reason')
  const cancel = useMutation(BidService.method.cancelItem, {
    onSuccess: () => {
      forgetItems()
      navigate(`/items/${item.id}`)
    },
  })
  const submit = (event: SubmitEvent): void => {
    event.preventDefault()
    if (fault === undefined && !cancel.isPending) cancel.mutate(request)
  }
  return (
    <form onSubmit={submit}>
      <Stack gap="md">
        <Text>Bidding on “{item.title}” ends, and nobody wins it. This cannot be undone.</Text>
        <Textarea
          label="Reason (optional)"
          description="Shown to everybody on the page of the item"
          autosize
          minRows={2}
          maxRows={8}
          data-autofocus
          value={reason}
          error={fault}
          onChange={(event) => setReason(event.currentTarget.value)}
        />
        {cancel.isError && <ErrorState error={cancel.error} />}
        <Group justify="flex-end" gap="sm">
          <Button variant="default" onClick={keep}>
            Keep listing
          </Button>
          <Button type="submit" color="red.9" loading={cancel.isPending}>
            Cancel listing
          </Button>
        </Group>
      </Stack>
    </form>
  )
}
