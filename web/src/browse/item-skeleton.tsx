/** An item page before its item is there: the same parts in the same places. */
import { Paper, Skeleton, Stack } from '@mantine/core'
import { GALLERY_RATIO } from '../item/item-gallery.tsx'
import styles from '../item/item-page.module.css'

/** Of the panel with the form. */
const PANEL_HEIGHT = 500

export function ItemSkeleton() {
  return (
    <div role="status" aria-label="Loading the item">
      <Skeleton h={34} w="60%" mb={10} />
      <Skeleton h={20} w="40%" mb="md" />
      <div className={styles['parts']}>
        <div className={styles['media']}>
          <Skeleton style={{ aspectRatio: GALLERY_RATIO }} h="auto" radius="md" />
        </div>
        <div className={styles['bidding']}>
          <Paper withBorder p={{ base: 'sm', sm: 'md' }} mih={PANEL_HEIGHT}>
            <Stack>
              <Skeleton h={62} w="55%" />
              <Skeleton h={24} />
              <Skeleton h={66} mt="lg" />
              <Skeleton h={32} />
              <Skeleton h={42} />
            </Stack>
          </Paper>
        </div>
        <div className={styles['details']}>
          <Skeleton h={300} radius="md" />
        </div>
        <div className={styles['side']}>
          <Skeleton h={180} radius="md" />
        </div>
      </div>
    </div>
  )
}
