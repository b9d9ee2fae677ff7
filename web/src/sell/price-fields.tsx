/** What bidding starts at, in which currency, and by how much it rises. */
import { Group, NativeSelect, TextInput } from '@mantine/core'
import { type FieldsProps, FormSection } from './form-section.tsx'
import type { ItemDraft } from './item-draft.ts'
import { currencies } from '../ui/money.ts'

function nameOf(currency: string): string {
  return new Intl.DisplayNames(undefined, { type: 'currency' }).of(currency) ?? currency
}

export function PriceFields({ draft, onChange, faults }: FieldsProps<ItemDraft>) {
  const { currency } = draft
  return (
    <FormSection title="Price">
      <Group grow align="flex-start" preventGrowOverflow={false}>
        <TextInput
          label="Starting price"
          description="The lowest first bid"
          inputMode="decimal"
          required
          miw={140}
          value={draft.startPrice}
          error={faults.get('startPrice')}
          rightSection={currency}
          rightSectionWidth={52}
          rightSectionPointerEvents="none"
          onChange={(event) => onChange({ startPrice: event.currentTarget.value })}
        />
        <NativeSelect
          label="Currency"
          description="Of all bids"
          miw={140}
          value={currency}
          error={faults.get('currency')}
          data={currencies.map((value) => ({ value, label: `${value} · ${nameOf(value)}` }))}
          onChange={(event) => onChange({ currency: event.currentTarget.value })}
        />
      </Group>
      <TextInput
        label="Minimum increment (optional)"
        description="Leave empty for standard increments, which rise with the price"
        inputMode="decimal"
        value={draft.minIncrement}
        error={faults.get('minIncrement')}
        rightSection={currency}
        rightSectionWidth={52}
        rightSectionPointerEvents="none"
        onChange={(event) => onChange({ minIncrement: event.currentTarget.value })}
      />
    </FormSection>
  )
}
