/** Sell: put up an item, see one's own, change one. */
import { Anchor, Group, Stack, Title } from '@mantine/core'
import { useDocumentTitle } from '@mantine/hooks'
import { EditItem } from './edit-item.tsx'
import { ItemForm } from './item-form.tsx'
import { SellerItems } from './seller-items.tsx'
import { SignInFirst, useLack } from '../ui/sign-in-first.tsx'
import { EmptyState } from '../ui/states.tsx'
import { useUser } from '../app/user.tsx'

/** @param itemId the item to change; without one a new item is put up */
export function SellPage({ itemId }: { itemId?: string }) {
  const { userId } = useUser()
  useDocumentTitle(itemId === undefined ? 'Sell · Bidmesh' : 'Edit · Bidmesh')
  const lack = useLack('seller')
  if (userId === '') return <SignInFirst what="sell" />
  if (itemId !== undefined) return <EditItem itemId={itemId} />
  if (lack === 'role') return <EmptyState title="Your account may not put items up" />
  return (
    <Stack gap="xl">
      <Stack gap="sm">
        <Group justify="space-between" align="baseline">
          <Title order={1} size="h2">
            Sell an item
          </Title>
          <Anchor href="#your-items">Your listings</Anchor>
        </Group>
        <ItemForm />
      </Stack>
      <SellerItems key={userId} sellerId={userId} />
    </Stack>
  )
}
