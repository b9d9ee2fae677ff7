/** The place beside the form where a bidder is told things. */
import { Alert, Box, Button, Group, Loader, Text } from '@mantine/core'
import {
  IconAlertTriangle,
  IconArrowUp,
  IconCircleCheck,
  IconLogin2,
  IconRefresh,
} from '@tabler/icons-react'
import type { ReactNode } from 'react'
import type { Notice } from './bid-notice.ts'
import { formatMoney } from '../ui/money.ts'

const looks = {
  busy: { color: 'gray', icon: <Loader size={18} color="gray" aria-hidden /> },
  good: { color: 'baize', icon: <IconCircleCheck aria-hidden /> },
  outbid: { color: 'orange', icon: <IconArrowUp aria-hidden /> },
  bad: { color: 'red', icon: <IconAlertTriangle aria-hidden /> },
} as const satisfies Record<Notice['tone'], { color: string; icon: ReactNode }>

export type BidNoticeBoxProps = {
  notice: Notice | undefined
  currency: string
  /** Nothing can be placed. */
  offline: boolean
  onOffer: (amount: bigint) => void
  onRetry: () => void
  onSignIn: () => void
}

export function BidNoticeBox(props: BidNoticeBoxProps) {
  const { notice, currency, offline, onOffer, onRetry, onSignIn } = props
  return (
    <Box aria-live={notice?.tone === 'outbid' ? 'assertive' : 'polite'} data-testid="bid-notice">
      {notice ? (
        <Alert
          role="group"
          aria-label={notice.title}
          color={looks[notice.tone].color}
          icon={looks[notice.tone].icon}
          title={
            <Text span inherit c="bright">
              {notice.title}
            </Text>
          }
          py="sm"
        >
          {notice.text}
          {(notice.offer !== undefined || notice.retry || notice.signIn) && (
            <Group mt="xs">
              {notice.offer !== undefined && (
                <OfferButton
                  amount={notice.offer}
                  currency={currency}
                  offline={offline}
                  onOffer={onOffer}
                />
              )}
              {notice.signIn && (
                <Button
                  size="xs"
                  leftSection={<IconLogin2 size={14} aria-hidden />}
                  onClick={onSignIn}
                >
                  Sign in
                </Button>
              )}
              {notice.retry && (
                <Button
                  size="xs"
                  variant="default"
                  disabled={offline}
                  leftSection={<IconRefresh size={14} aria-hidden />}
                  onClick={onRetry}
                >
                  Try again
                </Button>
              )}
            </Group>
          )}
        </Alert>
      ) : (
        <Text size="xs" c="dimmed">
          A bid is final: if nobody bids more, you buy at your price.
        </Text>
      )}
    </Box>
  )
}

type OfferButtonProps = Pick<BidNoticeBoxProps, 'currency' | 'offline' | 'onOffer'> & {
  amount: bigint
}

function OfferButton({ amount, currency, offline, onOffer }: OfferButtonProps) {
  return (
    <Button size="xs" disabled={offline} onClick={() => onOffer(amount)} data-testid="offer">
      Bid {formatMoney(amount, currency)}
    </Button>
  )
}
