/** The countdown of an item page: until the start or the end, and visibly longer when the end has moved. */
import { Badge, Group, Text, VisuallyHidden } from '@mantine/core'
import { IconClockPlus } from '@tabler/icons-react'
import { useEffect, useState } from 'react'
import type { Item } from '@bidmesh/gen/bids/v1/bid_service_pb.ts'
import { Countdown } from './countdown.tsx'
import { type ItemPhase, startMs } from '../item/item-phase.ts'
import { endMs, type ItemView } from '../item/item-view.ts'
import { formatSpan, times } from '../item/item-words.ts'
import { formatMoment } from './time.ts'
import styles from '../item/item-page.module.css'

/** How long a moved end is pointed out. */
const POINT_OUT_MS = 6_000

export type TimeLeftProps = {
  item: Item
  phase: ItemPhase
} & Pick<ItemView, 'extensionsSeen' | 'lastMove'>

export function TimeLeft({ item, phase, extensionsSeen, lastMove }: TimeLeftProps) {
  const extension = useJustExtended(extensionsSeen)
  const { extensionCount } = item
  const scheduled = phase === 'scheduled'
  const atMs = scheduled ? startMs(item) : endMs(item)
  const label = extensionCount > 0 ? `Extended ${times(extensionCount)} · ends in` : 'Ends in'
  const by = lastMove.ms > 0 ? `+${formatSpan(lastMove.ms)}` : 'extended'
  return (
    <div>
      <Text size="sm" c="dimmed" ta="right">
        {scheduled ? 'Starts in' : label}
      </Text>
      <Group gap="xs" justify="flex-end" wrap="nowrap">
        {extension && (
          <Badge
            key={extensionsSeen}
            className={styles['extended'] ?? ''}
            color="orange"
            variant="light"
            tt="none"
            leftSection={<IconClockPlus size={14} aria-hidden />}
            data-testid="extension"
          >
            {by}
          </Badge>
        )}
        <Countdown
          endMs={atMs}
          word={scheduled ? 'starts' : 'ends'}
          className={styles['clock'] ?? ''}
          ff="text"
          fw={700}
        />
      </Group>
      <Text size="xs" c="dimmed" ta="right">
        {formatMoment(atMs)}
      </Text>
      {extension && lastMove.comment !== '' && (
        <Text size="xs" c="dimmed" ta="right" style={{ overflowWrap: 'anywhere' }}>
          {lastMove.comment}
        </Text>
      )}
      <VisuallyHidden role="status">{extension && `The end has moved: ${by}`}</VisuallyHidden>
    </div>
  )
}

/** True for a moment after the end has moved. */
function useJustExtended(extensionsSeen: number): boolean {
  const [shown, setShown] = useState(extensionsSeen)
  useEffect(() => {
    if (extensionsSeen === shown) return undefined
    const timer = setTimeout(() => setShown(extensionsSeen), POINT_OUT_MS)
    return () => clearTimeout(timer)
  }, [extensionsSeen, shown])
  return extensionsSeen !== shown
}
