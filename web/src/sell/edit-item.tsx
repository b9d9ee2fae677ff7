/** Changing the description of an own item that is not over. Bids that come meanwhile change nothing of it. */
import { Anchor, Button, Group, Skeleton, Stack, Title } from '@mantine/core'
import { Code } from '@connectrpc/connect'
import { useMutation, useQuery } from '@connectrpc/connect-query'
import {
  BidService,
  type Item,
  UpdateItemRequestSchema,
} from '@bidmesh/gen/bids/v1/bid_service_pb.ts'
import { type SubmitEvent, useState } from 'react'
import { Link } from 'wouter'
import { CancelItem } from './cancel-item.tsx'
import { EndItemNow } from './end-item-now.tsx'
import { ExtendItem } from './extend-item.tsx'
import { DescriptionFields } from './description-fields.tsx'
import { brokenRules, brokenRulesOf } from './field-rules.ts'
import { type Description, descriptionOf, isOpen, onLines, updateRequest } from './item-draft.ts'
import { useShowItem } from './item-form.tsx'
import { EmptyState, ErrorState } from '../ui/states.tsx'
import { useFormFaults } from './use-form-faults.ts'
import { useListStream, withUpdate } from '../browse/use-list-stream.ts'
import { useUser } from '../app/user.tsx'

const noSuchItem = new Set([Code.NotFound, Code.InvalidArgument])

export function EditItem({ itemId }: { itemId: string }) {
  const { userId, has } = useUser()
  const { data, error, isPending, refetch } = useQuery(BidService.method.getItem, { id: itemId })
  const { updates } = useListStream([itemId])
  if (isPending) return <Skeleton h={480} role="status" aria-label="Loading the item" />
  if (error && noSuchItem.has(error.code))
    return <NotHere title="Item not found" href="/sell" words="Your listings" />
  if (!data?.item) return <ErrorState error={error} retry={() => void refetch()} />
  const item = withUpdate(data.item, updates.get(itemId))
  const href = `/items/${itemId}`
  if (item.sellerId !== userId && !has('operator')) {
    const title = `Only the seller, ${item.sellerId}, can edit this item`
    return <NotHere title={title} href={href} words="View item" />
  }
  if (!isOpen(item)) {
    return (
      <NotHere
        title="This auction is over and can no longer be changed"
        href={href}
        words="View item"
      />
    )
  }
  return (
    <Stack gap="md" maw={720} mx="auto">
      <Title order={1} size="h2" lineClamp={2}>
        Edit “{data.item.title}”
      </Title>
      <EditForm item={data.item} />
      <ExtendItem item={item} />
      <EndItemNow item={item} />
      <CancelItem item={item} />
    </Stack>
  )
}

function NotHere({ title, href, words }: { title: string; href: string; words: string }) {
  return (
    <>
      <Title order={1} size="h2">
        Edit an item
      </Title>
      <EmptyState title={title}>
        <Anchor component={Link} href={href}>
          {words}
        </Anchor>
      </EmptyState>
    </>
  )
}

function EditForm({ item }: { item: Item }) {
  const [draft, setDraft] = useState(() => descriptionOf(item))
  const { userId } = useUser()
  const { request, changed } = updateRequest(item, draft, userId)
  const broken = onLines(brokenRules(UpdateItemRequestSchema, request), draft.images)
  const { form, shown, attempt, refuse, forget } = useFormFaults(broken)
  const done = useShowItem(item.id)
  const update = useMutation(BidService.method.updateItem, {
    onSuccess: done,
    onError: (error) =>
      refuse(onLines(brokenRulesOf(UpdateItemRequestSchema, error), draft.images)),
  })
  const change = (next: Partial<Description>): void => {
    forget()
    setDraft((before) => ({ ...before, ...next }))
  }
  const submit = (event: SubmitEvent): void => {
    event.preventDefault()
    if (!attempt() || update.isPending) return
    if (changed) update.mutate(request)
    else done()
  }
  return (
    <form ref={form} noValidate onSubmit={submit} aria-label="Edit the item">
      <Stack gap="md">
        <DescriptionFields draft={draft} onChange={change} faults={shown} />
        {update.isError && <ErrorState error={update.error} />}
        <Group justify="flex-end" gap="sm">
          <Button component={Link} href={`/items/${item.id}`} variant="default">
            Discard changes
          </Button>
          <Button type="submit" loading={update.isPending}>
            Save changes
          </Button>
        </Group>
      </Stack>
    </form>
  )
}
