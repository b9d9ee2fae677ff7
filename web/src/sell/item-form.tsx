/** Putting up an item: its form, and how it will look to others while it is filled in. */
import { Button, Grid, Stack, Text } from '@mantine/core'
import { useDebouncedValue } from '@mantine/hooks'
import { create } from '@bufbuild/protobuf'
import { timestampFromMs } from '@bufbuild/protobuf/wkt'
import { createConnectQueryKey, useMutation } from '@connectrpc/connect-query'
import { useQueryClient } from '@tanstack/react-query'
import {
  BidService,
  CreateItemRequestSchema,
  ItemSchema,
  ItemStatus,
} from '@bidmesh/gen/bids/v1/bid_service_pb.ts'
import { type SubmitEvent, useMemo, useState } from 'react'
import { useLocation } from 'wouter'
import { DescriptionFields } from './description-fields.tsx'
import { brokenRules, brokenRulesOf } from './field-rules.ts'
import { ItemCard } from '../browse/item-card.tsx'
import { createRequest, emptyDraft, type ItemDraft, onLines } from './item-draft.ts'
import { readMoney } from '../ui/money-text.ts'
import { newKey } from '@bidmesh/client'
import { PriceFields } from './price-fields.tsx'
import { serverNow } from '../app/server-time.tsx'
import { ErrorState } from '../ui/states.tsx'
import { DAY_MS, TimeFields } from './time-fields.tsx'
import { useFormFaults } from './use-form-faults.ts'
import { useUser } from '../app/user.tsx'
import { fromField, toField } from './wall-time.ts'

/** The look of the card follows the typing at this distance. */
const PREVIEW_PAUSE_MS = 300

/** Everything of bids' that a page may have in its store is old once an item was put up or changed. */
export function useForgetItems(): () => void {
  const queries = useQueryClient()
  const queryKey = createConnectQueryKey({ schema: BidService, cardinality: undefined })
  return () => void queries.invalidateQueries({ queryKey })
}

/** After a change of an item: its page, as it is now. */
export function useShowItem(itemId: string): () => void {
  const [, navigate] = useLocation()
  const forgetItems = useForgetItems()
  return () => {
    forgetItems()
    navigate(`/items/${itemId}`)
  }
}

export function ItemForm() {
  const [, navigate] = useLocation()
  const { userId } = useUser()
  const forgetItems = useForgetItems()
  const [draft, setDraft] = useState(() => ({
    ...emptyDraft,
    endAt: toField(serverNow() + DAY_MS),
  }))
  // The same until something is changed: sent twice, the item is there once.
  const [key, setKey] = useState(newKey)
  const { request, faults } = createRequest(draft, userId, serverNow(), key)
  const broken = onLines(brokenRules(CreateItemRequestSchema, request), draft.images)
  const { form, shown, attempt, refuse, forget } = useFormFaults(new Map([...broken, ...faults]))
  const put = useMutation(BidService.method.createItem, {
    onSuccess: ({ item }) => {
      forgetItems()
      if (item) navigate(`/items/${item.id}`)
    },
    onError: (error) =>
      refuse(onLines(brokenRulesOf(CreateItemRequestSchema, error), draft.images)),
  })
  const change = (changed: Partial<ItemDraft>): void => {
    forget()
    setKey(newKey())
    setDraft((before) => ({ ...before, ...changed }))
  }
  const submit = (event: SubmitEvent): void => {
    event.preventDefault()
    if (attempt() && !put.isPending) put.mutate(request)
  }
  const parts = { draft, onChange: change, faults: shown }
  return (
    <Grid gap="lg">
      <Grid.Col span={{ base: 12, sm: 8 }}>
        <form ref={form} noValidate onSubmit={submit} aria-label="Sell an item">
          <Stack gap="md">
            <DescriptionFields {...parts} />
            <PriceFields {...parts} />
            <TimeFields {...parts} />
            {put.isError && <ErrorState error={put.error} />}
            <Button type="submit" size="md" loading={put.isPending}>
              List item
            </Button>
          </Stack>
        </form>
      </Grid.Col>
      <Grid.Col span={4} visibleFrom="sm">
        <Preview draft={draft} />
      </Grid.Col>
    </Grid>
  )
}

/** For eyes only: all of it is in the form. */
function Preview({ draft }: { draft: ItemDraft }) {
  const [settled] = useDebouncedValue(draft, PREVIEW_PAUSE_MS)
  const item = useMemo(() => {
    const { title, category, images, currency, startPrice } = settled
    const startMs = fromField(settled.startAt)
    const price = readMoney(startPrice, currency)
    return create(ItemSchema, {
      title: title.trim() || 'Your title',
      category,
      images: images.map((url) => url.trim()).filter((url) => /^(https?:\/\/|\/)\S+$/.test(url)),
      currency,
      startPrice: price.kind === 'amount' ? price.minor : 0n,
      status: startMs === undefined ? ItemStatus.ACTIVE : ItemStatus.SCHEDULED,
      startAt: timestampFromMs(startMs ?? serverNow()),
      endAt: timestampFromMs(fromField(settled.endAt) ?? serverNow()),
    })
  }, [settled])
  return (
    <Stack gap="xs" pos="sticky" top={76} maw={280} aria-hidden>
      <Text size="sm" c="dimmed">
        Preview
      </Text>
      <ItemCard item={item} userId="" linked={false} />
    </Stack>
  )
}
