/** The controls of Browse: words to search for, status, order, category. What is chosen is in the address. */
import {
  Chip,
  CloseButton,
  Group,
  NativeSelect,
  ScrollArea,
  SegmentedControl,
  Text,
  TextInput,
} from '@mantine/core'
import { useDebouncedCallback } from '@mantine/hooks'
import { IconSearch } from '@tabler/icons-react'
import { type SubmitEvent, useState } from 'react'
import {
  type BrowseFilter,
  isOrder,
  isStatus,
  orders,
  ordersOf,
  QUERY_MAX_LENGTH,
  statuses,
  withStatus,
} from './browse-filter.ts'
import { currencies } from '../ui/money.ts'
import { useCategories } from './use-categories.ts'

/** Long enough to type on, short enough not to be waited for. */
const TYPING_PAUSE_MS = 300
/** More chips than this are a list to get lost in; what is in none of them is found by its words. */
const CATEGORIES_SHOWN = 20
/** Of a phone's width: the next one can be seen. */
const CHIP_WIDTH = 'min(50vw, 240px)'

type ControlsProps = { filter: BrowseFilter; onChange: (filter: BrowseFilter) => void }

export function BrowseControls({ filter, onChange }: ControlsProps) {
  return (
    <>
      <Group gap="sm">
        <SearchBox query={filter.query} onSearch={(query) => onChange({ ...filter, query })} />
        <NativeSelect
          aria-label="Order"
          value={filter.order}
          onChange={({ currentTarget: { value } }) =>
            isOrder(value) && onChange({ ...filter, order: value })
          }
          data={ordersOf(filter.status).map((value) => ({ value, label: orders[value].label }))}
        />
        <NativeSelect
          aria-label="Currency"
          value={filter.currency}
          onChange={({ currentTarget: { value } }) => onChange({ ...filter, currency: value })}
          data={[{ value: '', label: 'Any currency' }, ...currencies]}
        />
        <SegmentedControl
          w={{ base: '100%', xs: 'auto' }}
          aria-label="Status"
          value={filter.status}
          onChange={(status) => isStatus(status) && onChange(withStatus(filter, status))}
          data={Object.entries(statuses).map(([value, { label }]) => ({ value, label }))}
        />
      </Group>
      <CategoryChips
        category={filter.category}
        onChange={(category) => onChange({ ...filter, category })}
      />
    </>
  )
}

type SearchBoxProps = { query: string; onSearch: (query: string) => void }

function SearchBox({ query, onSearch }: SearchBoxProps) {
  const [text, setText] = useState(query)
  const [asked, setAsked] = useState(query)
  // Somebody else changed the query, the back button for one: the field follows.
  if (query !== asked) {
    setAsked(query)
    setText(query)
  }
  const search = useDebouncedCallback((next: string) => {
    setAsked(next.trim())
    onSearch(next.trim())
  }, TYPING_PAUSE_MS)
  const type = (next: string): void => {
    setText(next)
    search(next)
  }
  const submit = (event: SubmitEvent): void => {
    event.preventDefault()
    search.flush()
  }
  return (
    <form role="search" onSubmit={submit} style={{ flex: '1 1 180px' }}>
      <TextInput
        type="search"
        aria-label="Search titles and descriptions"
        placeholder="Search titles and descriptions"
        leftSection={<IconSearch size={16} aria-hidden />}
        value={text}
        maxLength={QUERY_MAX_LENGTH}
        onChange={(event) => type(event.currentTarget.value)}
        rightSection={
          text !== '' && <CloseButton size="sm" aria-label="Clear" onClick={() => type('')} />
        }
      />
    </form>
  )
}

type CategoryChipsProps = { category: string; onChange: (category: string) => void }

function CategoryChips({ category, onChange }: CategoryChipsProps) {
  const known = useCategories().slice(0, CATEGORIES_SHOWN)
  const offered = category === '' || known.includes(category) ? known : [category, ...known]
  return (
    // As high as its chips, before they are known.
    <ScrollArea type="never" mt="sm" mih={36}>
      <Chip.Group value={category} onChange={(next) => typeof next === 'string' && onChange(next)}>
        <Group gap={6} wrap="nowrap" p={4} ml={-4} role="radiogroup" aria-label="Category">
          {['', ...offered].map((value) => (
            <Chip key={value} value={value} size="sm" variant="light">
              <Text span inherit truncate maw={CHIP_WIDTH} title={value}>
                {value === '' ? 'All categories' : value}
              </Text>
            </Chip>
          ))}
        </Group>
      </Chip.Group>
    </ScrollArea>
  )
}
