/** Asks once more before a bid that is far above the minimum: one digit too many would be bought for good. */
import { Button, Group, Modal, Stack, Text } from '@mantine/core'
import type { Item } from '@bidmesh/gen/bids/v1/bid_service_pb.ts'
import { timesMinimum } from './high-bid.ts'
import { formatMoney } from '../ui/money.ts'

export type ConfirmBidProps = {
  item: Item
  /** In minor units; undefined while there is nothing to ask. */
  amount: bigint | undefined
  onYes: (amount: bigint) => void
  onNo: () => void
}

export function ConfirmBid({ item, amount, onYes, onNo }: ConfirmBidProps) {
  return (
    <Modal
      opened={amount !== undefined}
      onClose={onNo}
      title="Is this amount right?"
      centered
      transitionProps={{ duration: 0 }}
      closeButtonProps={{ 'aria-label': 'Close' }}
    >
      {amount !== undefined && <Question {...{ item, amount, onYes, onNo }} />}
    </Modal>
  )
}

function Question({ item, amount, onYes, onNo }: ConfirmBidProps & { amount: bigint }) {
  const { minimumNextBid, currency } = item
  const money = formatMoney(amount, currency)
  return (
    <Stack gap="md">
      <Text>
        <b>{money}</b> is {timesMinimum(amount, minimumNextBid)} the minimum of{' '}
        {formatMoney(minimumNextBid, currency)}. A bid is final: if nobody bids more, you buy at
        your price.
      </Text>
      <Group justify="flex-end" gap="sm">
        {/* Who presses Enter once more without reading changes nothing. */}
        <Button variant="default" onClick={onNo} data-autofocus>
          Change the amount
        </Button>
        <Button onClick={() => onYes(amount)} data-testid="confirm-bid">
          Yes, bid {money}
        </Button>
      </Group>
    </Stack>
  )
}
