/**
 * Where a bid is written and placed. The amount follows the minimum next bid until somebody types; what was
 * typed is never overwritten, only said to be too low.
 */
import { Button, Loader, SimpleGrid, Text, TextInput } from '@mantine/core'
import { IconGavel } from '@tabler/icons-react'
import { type Ref, type SubmitEvent, useRef } from 'react'
import type { Item } from '@bidmesh/gen/bids/v1/bid_service_pb.ts'
import { amountProblem } from './bid-amount.ts'
import { editableMoney, formatMoney, parseMoney } from './money.ts'
import { raiseSteps } from './raise-steps.ts'

/** Amounts side by side, by the width of the form: they are not cut off. */
const QUICK_COLUMNS = { base: 2, '360px': 4 }

export type BidFormProps = {
  item: Item
  /** A bid is on its way. */
  busy: boolean
  /** The user leads, and would outbid themselves. */
  leads: boolean
  /** What stands in the field; undefined while nobody has typed, and it follows the minimum. */
  typed: string | undefined
  setTyped: (typed: string | undefined) => void
  place: (amount: bigint) => void
  inputRef: Ref<HTMLInputElement>
}

export function BidForm(props: BidFormProps) {
  const { item, busy, leads, typed, setTyped, place, inputRef } = props
  const { currency, minimumNextBid } = item
  const form = useRef<HTMLFormElement>(null)
  const text = typed ?? editableMoney(minimumNextBid, currency)
  const amount = parseMoney(text, currency)
  const problem = busy || typed === undefined ? undefined : amountProblem(amount, item)
  const submit = (event: SubmitEvent): void => {
    event.preventDefault()
    if (busy) return
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
        aria-disabled={problem !== undefined}
        variant={problem || (leads && !busy) ? 'light' : 'filled'}
        leftSection={
          busy ? (
            <Loader size={18} color="inherit" aria-hidden />
          ) : (
            <IconGavel size={18} aria-hidden />
          )
        }
        data-testid="place-bid"
      >
        {busy ? 'Placing…' : buttonWords(amount, currency, leads)}
      </Button>
    </form>
  )
}

function buttonWords(amount: bigint | undefined, currency: string, leads: boolean): string {
  if (amount === undefined) return 'Bid'
  const money = formatMoney(amount, currency)
  return leads ? `Raise your bid to ${money}` : `Bid ${money}`
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
  return (
    <SimpleGrid
      type="container"
      cols={QUICK_COLUMNS}
      spacing="xs"
      verticalSpacing="xs"
      mt="sm"
      role="group"
      aria-label="Quick amounts"
    >
      {raiseSteps(item).map((step) => {
        const chosen = step === minimumNextBid ? untouched : !untouched && step === amount
        const next = step === minimumNextBid ? undefined : editableMoney(step, currency)
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
