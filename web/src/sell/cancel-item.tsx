/** Taking an item back: only while nobody has bid, and only after a second thought. */
import { Text, Textarea } from '@mantine/core'
import { create } from '@bufbuild/protobuf'
import { useMutation } from '@connectrpc/connect-query'
import {
  BidService,
  CancelItemRequestSchema,
  type Item,
} from '@bidmesh/gen/bids/v1/bid_service_pb.ts'
import { useState } from 'react'
import { ActionSection, Confirmation } from './confirmed-action.tsx'
import { brokenRules } from './field-rules.ts'
import { useShowItem } from './item-form.tsx'
import { useUser } from '../app/user.tsx'

export function CancelItem({ item }: { item: Item }) {
  const possible = item.bidCount === 0n
  return (
    <ActionSection
      title="Cancel listing"
      words={
        possible
          ? 'You can cancel while there are no bids. This cannot be undone.'
          : 'There are bids: the listing can no longer be cancelled.'
      }
      possible={possible}
      button={{ words: 'Cancel listing…', c: 'red' }}
      question="Cancel this listing?"
    >
      {(close) => <CancelForm item={item} keep={close} />}
    </ActionSection>
  )
}

function CancelForm({ item, keep }: { item: Item; keep: () => void }) {
  const { userId } = useUser()
  const [reason, setReason] = useState('')
  const request = create(CancelItemRequestSchema, { id: item.id, reason: reason.trim(), userId })
  const fault = brokenRules(CancelItemRequestSchema, request).get('reason')
  const onSuccess = useShowItem(item.id)
  const cancel = useMutation(BidService.method.cancelItem, { onSuccess })
  return (
    <Confirmation
      yes={{ words: 'Cancel listing', color: 'red.9' }}
      no="Keep listing"
      keep={keep}
      submit={() => fault === undefined && cancel.mutate(request)}
      isPending={cancel.isPending}
      error={cancel.error}
    >
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
    </Confirmation>
  )
}
