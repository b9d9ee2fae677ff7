/** A price that says when it changes: to the eye by a flash, to a screen reader by telling it. */
import { Text } from '@mantine/core'
import { useState } from 'react'
import { formatMoney } from '../ui/money.ts'
import styles from './item-page.module.css'

export type LivePriceProps = { amountMinor: bigint; currency: string; label: string }

export function LivePrice({ amountMinor, currency, label }: LivePriceProps) {
  const [first] = useState(amountMinor)
  const [changed, setChanged] = useState(false)
  if (!changed && amountMinor !== first) setChanged(true)
  return (
    <div aria-live="polite" aria-atomic>
      <Text size="sm" c="dimmed">
        {label}
      </Text>
      <Text
        // Another element for another price: its animation starts anew.
        key={String(amountMinor)}
        className={`${styles['price']} ${changed ? 'just-changed' : ''}`}
        c="bright"
        data-testid="price"
      >
        {formatMoney(amountMinor, currency)}
      </Text>
    </div>
  )
}
