/** The seller's early hammer: once somebody has bid, the auction can end at once, sold to the leader. */
import { nameOf } from '../ui/person-name.ts'
import { Text } from '@mantine/core'
import { useMutation } from '@connectrpc/connect-query'
import { BidService, type Item, ItemStatus } from '@bidmesh/gen/bids/v1/bid_service_pb.ts'
import { ActionSection, Confirmation } from './confirmed-action.tsx'
import { useShowItem } from './item-form.tsx'
import { formatMoney } from '../ui/money.ts'
import { useUser } from '../app/user.tsx'

export function EndItemNow({ item }: { item: Item }) {
  const possible = item.bidCount > 0n && item.status === ItemStatus.ACTIVE
  return (
    <ActionSection
      title="End now"
      words={
        possible
          ? 'You can sell to the highest bidder before the end. This cannot be undone.'
          : 'Once there are bids, you can sell to the highest bidder before the end.'
      }
      possible={possible}
      button={{ words: 'End now…', c: 'red' }}
      question="End this auction now?"
    >
      {(close) => <EndForm item={item} keep={close} />}
    </ActionSection>
  )
}

function EndForm({ item, keep }: { item: Item; keep: () => void }) {
  const { userId } = useUser()
  const onSuccess = useShowItem(item.id)
  const endNow = useMutation(BidService.method.endItemNow, { onSuccess })
  const price = formatMoney(item.currentHighestBid, item.currency)
  return (
    <Confirmation
      yes={{ words: 'End auction', color: 'red.9' }}
      no="Keep it open"
      keep={keep}
      submit={() => endNow.mutate({ itemId: item.id, userId })}
      isPending={endNow.isPending}
      error={endNow.error}
    >
      <Text>
        “{item.title}” is sold to {nameOf(item.highestBidderId, 'the highest bidder')} for {price},
        unless somebody bids more first. This cannot be undone.
      </Text>
    </Confirmation>
  )
}
