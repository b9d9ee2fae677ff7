/** The pictures of an item: one large, and all of them small when there are several. */
import { Group, UnstyledButton } from '@mantine/core'
import { useState } from 'react'
import type { Item } from '@bidmesh/gen/bids/v1/bid_service_pb.ts'
import { ItemPicture } from './item-picture.tsx'
import styles from './item-page.module.css'

/** Width by height: wide enough that the price is on the first screen of a phone. */
export const GALLERY_RATIO = 3 / 2

export function ItemGallery({ item }: { item: Item }) {
  const [chosen, setChosen] = useState(0)
  const index = chosen < item.images.length ? chosen : 0
  return (
    <>
      <div className={styles['picture']}>
        <ItemPicture item={item} ratio={GALLERY_RATIO} index={index} alt={item.title} eager />
      </div>
      {item.images.length > 1 && (
        <Group gap="sm" mt="sm" role="group" aria-label="Pictures">
          {item.images.map((image, at) => (
            <UnstyledButton
              key={image}
              className={styles['thumb'] ?? ''}
              aria-label={`Picture ${at + 1} of ${item.images.length}`}
              aria-pressed={at === index}
              onClick={() => setChosen(at)}
            >
              <ItemPicture item={item} index={at} />
            </UnstyledButton>
          ))}
        </Group>
      )}
    </>
  )
}
