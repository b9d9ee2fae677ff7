/** The place beside the form where a bidder is told things; always as tall, so that nothing jumps. */
import { Alert, Box, Button, Group, Loader, Text } from '@mantine/core'
import { IconAlertTriangle, IconArrowUp, IconCircleCheck, IconRefresh } from '@tabler/icons-react'
import type { ReactNode } from 'react'
import type { Notice } from './bid-notice.ts'
import { formatMoney } from './money.ts'

const looks = {
  busy: { color: 'gray', icon: <Loader size={18} color="gray" aria-hidden /> },
  good: { color: 'baize', icon: <IconCircleCheck aria-hidden /> },
  outbid: { color: 'orange', icon: <IconArrowUp aria-hidden /> },
  bad: { color: 'red', icon: <IconAlertTriangle aria-hidden /> },
} as const satisfies Record<Notice['tone'], { color: string; icon: ReactNode }>

/** A notice of two lines and a button. */
const HEIGHT = 128

export type BidNoticeBoxProps = {
  notice: Notice | undefined
  currency: string
  onOffer: (amount: bigint) => void
  onRetry: () => void
}

export function BidNoticeBox({ notice, currency, onOffer, onRetry }: BidNoticeBoxProps) {
  return (
    <Box
      mih={HEIGHT}
      aria-live={notice?.tone === 'outbid' ? 'assertive' : 'polite'}
      data-testid="bid-notice"
    >
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
          {(notice.offer !== undefined || notice.retry) && (
            <Group mt="xs">
              {notice.offer !== undefined && (
                <OfferButton amount={notice.offer} currency={currency} onOffer={onOffer} />
              )}
              {notice.retry && (
                <Button
                  size="xs"
                  variant="default"
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

type OfferButtonProps = { amount: bigint; currency: string; onOffer: (amount: bigint) => void }

function OfferButton({ amount, currency, onOffer }: OfferButtonProps) {
  return (
    <Button size="xs" onClick={() => onOffer(amount)} data-testid="offer">
      Bid {formatMoney(amount, currency)}
    </Button>
  )
}
