/** Moving the end of an auction to a later time, while nobody has bid. */
import { Textarea, TextInput } from '@mantine/core'
import { create } from '@bufbuild/protobuf'
import { timestampFromMs } from '@bufbuild/protobuf/wkt'
import { useMutation } from '@connectrpc/connect-query'
import {
  BidService,
  ExtendItemRequestSchema,
  type Item,
} from '@bidmesh/gen/bids/v1/bid_service_pb.ts'
import { useState } from 'react'
import { ActionSection, Confirmation } from './confirmed-action.tsx'
import { brokenRules } from './field-rules.ts'
import { useShowItem } from './item-form.tsx'
import { endMs } from '../item/item-view.ts'
import { formatMoment } from '../ui/time.ts'
import { DAY_MS } from './time-fields.tsx'
import { useUser } from '../app/user.tsx'
import { fromField, toField } from './wall-time.ts'

export function ExtendItem({ item }: { item: Item }) {
  const possible = item.bidCount === 0n
  return (
    <ActionSection
      title="Extend"
      words={
        possible
          ? 'You can move the end to a later time while there are no bids.'
          : 'There are bids: only bids can move the end now.'
      }
      possible={possible}
      button={{ words: 'Extend…' }}
      question="Extend this auction?"
    >
      {(close) => <ExtendForm item={item} keep={close} />}
    </ActionSection>
  )
}

function ExtendForm({ item, keep }: { item: Item; keep: () => void }) {
  const { userId } = useUser()
  const [endAt, setEndAt] = useState(() => toField(endMs(item) + DAY_MS))
  const [reason, setReason] = useState('')
  const endAtMs = fromField(endAt)
  const isLater = endAtMs !== undefined && endAtMs > endMs(item)
  const request = create(ExtendItemRequestSchema, {
    itemId: item.id,
    userId,
    reason: reason.trim(),
    ...(endAtMs !== undefined && { endAt: timestampFromMs(endAtMs) }),
  })
  const faults = brokenRules(ExtendItemRequestSchema, request)
  const onSuccess = useShowItem(item.id)
  const extend = useMutation(BidService.method.extendItem, { onSuccess })
  return (
    <Confirmation
      yes={{ words: 'Extend auction' }}
      no="Keep the end"
      keep={keep}
      submit={() => isLater && faults.size === 0 && extend.mutate(request)}
      isPending={extend.isPending}
      error={extend.error}
    >
      <TextInput
        type="datetime-local"
        label="New end time"
        description={`Now it ends ${formatMoment(endMs(item))}`}
        required
        data-autofocus
        value={endAt}
        error={isLater ? undefined : 'Must be later than the present end.'}
        onChange={(event) => setEndAt(event.currentTarget.value)}
      />
      <Textarea
        label="Reason (optional)"
        description="Shown to those who watch"
        autosize
        minRows={2}
        maxRows={8}
        value={reason}
        error={faults.get('reason')}
        onChange={(event) => setReason(event.currentTarget.value)}
      />
    </Confirmation>
  )
}
