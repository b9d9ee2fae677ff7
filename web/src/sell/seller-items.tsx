/** What somebody sells, newest first, with the way to change it. */
import {
  Anchor,
  Badge,
  Box,
  Button,
  Group,
  Paper,
  Skeleton,
  Stack,
  Text,
  Title,
} from '@mantine/core'
import { useInfiniteQuery } from '@connectrpc/connect-query'
import { BidService, type Item } from '@bidmesh/gen/bids/v1/bid_service_pb.ts'
import { Link } from 'wouter'
import { cardFacts } from '../browse/card-facts.ts'
import { isOpen } from './item-draft.ts'
import { ItemPicture } from '../item/item-picture.tsx'
import { formatMoney } from '../ui/money.ts'
import { EmptyState, ErrorState } from '../ui/states.tsx'
import { useListStream, withUpdate } from '../browse/use-list-stream.ts'

const PAGE_SIZE = 10

export function SellerItems({ sellerId }: { sellerId: string }) {
  const list = useInfiniteQuery(
    BidService.method.listSellerItems,
    { sellerId, pageSize: PAGE_SIZE, pageToken: '' },
    { pageParamKey: 'pageToken', getNextPageParam: (page) => page.nextPageToken || undefined },
  )
  const items = list.data?.pages.flatMap((page) => page.items) ?? []
  const { updates } = useListStream(items.map(({ id }) => id))
  return (
    <Stack component="section" gap="sm" id="your-items" aria-labelledby="your-items-title">
      <Title order={2} size="h3" id="your-items-title">
        Your listings
      </Title>
      {list.isPending && <Skeleton h={72} role="status" aria-label="Loading" />}
      {list.isError && <ErrorState error={list.error} retry={() => void list.refetch()} />}
      {list.isSuccess && items.length === 0 && (
        <EmptyState title="No listings yet">Items that you list appear here.</EmptyState>
      )}
      {items.map((item) => (
        <SellerItem key={item.id} item={withUpdate(item, updates.get(item.id))} />
      ))}
      {list.hasNextPage && (
        <Button
          variant="default"
          loading={list.isFetchingNextPage}
          onClick={() => void list.fetchNextPage()}
          style={{ alignSelf: 'center' }}
        >
          Load more
        </Button>
      )}
    </Stack>
  )
}

function SellerItem({ item }: { item: Item }) {
  // Of the seller's own items "Your item" says nothing: the words for somebody else do.
  const { badge, price, priceLabel, bids } = cardFacts(item, '')
  const { label, color } = badge ?? { label: 'Open', color: 'baize.7' }
  return (
    <Paper withBorder p="xs" component="article" aria-label={item.title}>
      <Group gap="sm" wrap="nowrap">
        <Box w={72} bdrs="sm" style={{ overflow: 'hidden', flexShrink: 0 }}>
          <ItemPicture item={item} />
        </Box>
        <Box flex={1} miw={0}>
          <Anchor component={Link} href={`/items/${item.id}`} fw={600} c="inherit" lineClamp={1}>
            {item.title}
          </Anchor>
          <Group gap={8} mt={4}>
            <Badge size="sm" color={color} variant="filled">
              {label}
            </Badge>
            <Text size="sm" c="dimmed">
              {priceLabel} {formatMoney(price, item.currency)} · {bids}
            </Text>
          </Group>
          {item.cancelReason !== '' && (
            <Text size="sm" c="dimmed" lineClamp={2} style={{ overflowWrap: 'anywhere' }}>
              {item.cancelReason}
            </Text>
          )}
        </Box>
        {isOpen(item) && (
          <Button
            component={Link}
            href={`/items/${item.id}/edit`}
            variant="default"
            size="xs"
            aria-label={`Edit ${item.title}`}
          >
            Edit
          </Button>
        )}
      </Group>
    </Paper>
  )
}
