/**
 * Where a bid is written and placed. The amount follows the minimum next bid until somebody types; what was
 * typed is never overwritten, only said to be too low.
 */
import { Button, Loader, SimpleGrid, Text, TextInput } from '@mantine/core'
import { IconGavel } from '@tabler/icons-react'
import { type Ref, type SubmitEvent, useRef } from 'react'
import type { Item } from '@bidmesh/gen/bids/v1/bid_service_pb.ts'
import type { ReadBid } from './bid-amount.ts'
import { formatMoney } from '../ui/money.ts'
import { moneyText } from '../ui/money-text.ts'
import { raiseSteps } from './raise-steps.ts'

/** Amounts side by side, by the width of the form and their own: they are not cut off. */
const QUICK_COLUMNS = { base: 2, '360px': 4 }
const LONG_COLUMNS = { base: 1, '280px': 2 }
/** More characters than this do not fit a quarter of the form. */
const SHORT_LENGTH = 10

export type BidFormProps = {
  item: Item
  /** A bid is on its way. */
  busy: boolean
  /** The user leads, and would outbid themselves. */
  leads: boolean
  /** Nothing can be placed. */
  offline: boolean
  /** What stands in the field, and what it amounts to. */
  text: string
  read: ReadBid
  /** The same; undefined while nobody has typed, and it follows the minimum. */
  typed: string | undefined
  setTyped: (typed: string | undefined) => void
  place: (amount: bigint) => void
  inputRef: Ref<HTMLInputElement>
}

export function BidForm(props: BidFormProps) {
  const { item, busy, leads, offline, text, read, typed, setTyped, place, inputRef } = props
  const { currency, minimumNextBid } = item
  const form = useRef<HTMLFormElement>(null)
  const { amount } = read
  const problem = busy || typed === undefined ? undefined : read.problem
  const submit = (event: SubmitEvent): void => {
    event.preventDefault()
    if (busy || offline) return
    if (amount === undefined || problem) form.current?.querySelector('input')?.focus()
    else place(amount)
  }
  return (
    <form ref={form} onSubmit={submit} noValidate aria-label="Place a bid">
      <TextInput
        ref={inputRef}
        label="Your bid"
        size="md"
        inputMode="decimal"
        autoComplete="off"
        value={text}
        onChange={(event) => setTyped(event.currentTarget.value)}
        leftSection={<CurrencyCode currency={currency} />}
        leftSectionWidth={52}
        rightSection={typed !== undefined && !busy && <UseMinimum onUse={setTyped} />}
        rightSectionWidth={84}
        inputWrapperOrder={['label', 'input', 'description', 'error']}
        description={problem ? undefined : `At least ${formatMoney(minimumNextBid, currency)}`}
        error={problem}
        data-testid="bid-amount"
      />
      <QuickRaises item={item} amount={amount} untouched={typed === undefined} choose={setTyped} />
      <Button
        type="submit"
        size="md"
        fullWidth
        mt="md"
        aria-busy={busy}
        aria-disabled={problem !== undefined || offline}
        variant={problem || offline || (leads && !busy) ? 'light' : 'filled'}
        styles={wrapped}
        leftSection={
          busy ? (
            <Loader size={18} color="inherit" aria-hidden />
          ) : (
            <IconGavel size={18} aria-hidden />
          )
        }
        data-testid="place-bid"
      >
        {busy ? 'Placing…' : offline ? offlineWords : buttonWords(amount, currency, leads)}
      </Button>
    </form>
  )
}

/** Long amounts go on to a second line. */
const wrapped = {
  root: { height: 'auto', minHeight: 42 },
  label: { whiteSpace: 'normal' },
} as const
export const offlineWords = 'You are offline'

function buttonWords(amount: bigint | undefined, currency: string, leads: boolean): string {
  if (amount === undefined) return 'Bid'
  const money = formatMoney(amount, currency)
  return leads ? `Raise my bid to ${money}` : `Bid ${money}`
}

function CurrencyCode({ currency }: { currency: string }) {
  return (
    <Text span size="sm" c="dimmed">
      {currency}
    </Text>
  )
}

function UseMinimum({ onUse }: { onUse: (typed: undefined) => void }) {
  return (
    <Button size="compact-xs" variant="subtle" onClick={() => onUse(undefined)}>
      Minimum
    </Button>
  )
}

type QuickRaisesProps = {
  item: Item
  amount: bigint | undefined
  untouched: boolean
  choose: (typed: string | undefined) => void
}

function QuickRaises({ item, amount, untouched, choose }: QuickRaisesProps) {
  const { currency, minimumNextBid } = item
  const steps = raiseSteps(item)
  const isShort = steps.every((step) => formatMoney(step, currency).length <= SHORT_LENGTH)
  return (
    <SimpleGrid
      type="container"
      cols={isShort ? QUICK_COLUMNS : LONG_COLUMNS}
      spacing="xs"
      verticalSpacing="xs"
      mt="sm"
      role="group"
      aria-label="Quick amounts"
    >
      {steps.map((step) => {
        const chosen = step === minimumNextBid ? untouched : !untouched && step === amount
        const next = step === minimumNextBid ? undefined : moneyText(step, currency)
        return (
          <Button
            key={String(step)}
            size="xs"
            px="xs"
            variant={chosen ? 'light' : 'default'}
            aria-pressed={chosen}
            onClick={() => choose(next)}
          >
            {formatMoney(step, currency)}
          </Button>
        )
      })}
    </SimpleGrid>
  )
}
