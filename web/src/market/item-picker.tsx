/** Choosing an item: by words of its title, from what ends soon, or by pasting its id. */
import { Group, Select, Text } from '@mantine/core'
import { useDebouncedValue } from '@mantine/hooks'
import { IconSearch } from '@tabler/icons-react'
import { useQuery } from '@connectrpc/connect-query'
import { keepPreviousData } from '@tanstack/react-query'
import {
  BidService,
  type Item,
  ItemStatus,
  ListItemsRequest_OrderBy as OrderBy,
} from '@bidmesh/gen/bids/v1/bid_service_pb.ts'
import { useState } from 'react'
import { QUERY_MAX_LENGTH } from '../browse/browse-filter.ts'
import { formatMoney } from '../ui/money.ts'

/** As many as a person looks through. */
const OFFERED = 20
/** A person who types does not want an answer to each letter. */
const TYPING_MS = 250

const uuid = /^[\da-f]{8}(?:-[\da-f]{4}){3}-[\da-f]{12}$/i

/** Whether it could be the id of an item. */
export function isItemId(text: string): boolean {
  return uuid.test(text)
}

export type ItemPickerProps = {
  /** The chosen one, once it is known. */
  item: Item | undefined
  onItemId: (itemId: string) => void
}

export function ItemPicker({ item, onItemId }: ItemPickerProps) {
  const [typed, setTyped] = useState('')
  const [words] = useDebouncedValue(typed.trim().slice(0, QUERY_MAX_LENGTH), TYPING_MS)
  // The field says the title of what is chosen, which is no search.
  const query = words === item?.title || isItemId(words) ? '' : words
  const { data, isFetching } = useQuery(
    BidService.method.listItems,
    query === ''
      ? { status: ItemStatus.ACTIVE, orderBy: OrderBy.ENDING_SOON, pageSize: OFFERED }
      : { query, pageSize: OFFERED },
    { placeholderData: keepPreviousData },
  )
  const offered = data?.items ?? []
  const byId = new Map(offered.map((one) => [one.id, one]))
  // The field needs the title of the chosen one, also while the list has others.
  const known = item && !byId.has(item.id) ? [...offered, item] : offered
  const search = (text: string): void => {
    setTyped(text)
    if (isItemId(text.trim())) onItemId(text.trim().toLowerCase())
  }
  return (
    <Select
      label="Item"
      description="Search by title, or paste an item ID"
      placeholder="Search items"
      leftSection={<IconSearch size={16} aria-hidden />}
      searchable
      clearable
      nothingFoundMessage={isFetching ? 'Searching…' : 'No items match'}
      value={item?.id ?? null}
      onChange={(id) => onItemId(id ?? '')}
      onSearchChange={search}
      // The service has searched: what it found is what there is.
      filter={({ options }) => options.filter((one) => 'value' in one && byId.has(one.value))}
      allowDeselect={false}
      data={known.map(({ id, title }) => ({ value: id, label: title }))}
      renderOption={({ option }) => <Offered item={byId.get(option.value)} label={option.label} />}
      maxDropdownHeight={320}
    />
  )
}

function Offered({ item, label }: { item: Item | undefined; label: string }) {
  return (
    <Group justify="space-between" gap="sm" wrap="nowrap" flex={1} miw={0}>
      <Text span size="sm" truncate>
        {label}
      </Text>
      {item && (
        <Text span size="xs" c="dimmed" style={{ whiteSpace: 'nowrap' }}>
          {formatMoney(item.currentHighestBid || item.startPrice, item.currency)}
          {item.status === ItemStatus.ENDED && ' · ended'}
        </Text>
      )}
    </Group>
  )
}
