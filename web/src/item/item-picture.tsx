/**
 * The picture of an item. Until it has loaded, and whenever there is none or it cannot be had, one made up
 * from the title and the category stands in its place, of the same size.
 */
import { Box } from '@mantine/core'
import {
  IconArmchair,
  IconBike,
  IconBook,
  IconCamera,
  IconCar,
  IconClock,
  IconCoin,
  IconDeviceGamepad2,
  IconDeviceLaptop,
  IconDiamond,
  IconGavel,
  IconGlassFull,
  IconHorseToy,
  IconMusic,
  IconPalette,
  IconShirt,
  IconVinyl,
} from '@tabler/icons-react'
import { useState } from 'react'
import type { Item } from '@bidmesh/gen/bids/v1/bid_service_pb.ts'
import { madeUpPicture, type Motif } from '../ui/picture-motif.ts'
import styles from './item-picture.module.css'

const icons = {
  art: IconPalette,
  bicycle: IconBike,
  book: IconBook,
  camera: IconCamera,
  car: IconCar,
  clock: IconClock,
  clothes: IconShirt,
  coin: IconCoin,
  computer: IconDeviceLaptop,
  furniture: IconArmchair,
  game: IconDeviceGamepad2,
  jewel: IconDiamond,
  music: IconMusic,
  record: IconVinyl,
  thing: IconGavel,
  toy: IconHorseToy,
  wine: IconGlassFull,
} as const satisfies Record<Motif, typeof IconCamera>

/** A card's picture, width by height. */
const RATIO = 4 / 3

export type ItemPictureProps = {
  item: Pick<Item, 'title' | 'category' | 'images'>
  /** Width by height. */
  ratio?: number
  /** Which of the item's pictures; the first is the cover. */
  index?: number
  /** Empty, as it is beside the title: a picture that says nothing more to who cannot see it. */
  alt?: string
  /** For what is at the top of a page: loaded at once, not when it comes into view. */
  eager?: boolean
}

export function ItemPicture({
  item: { title, category, images },
  ratio = RATIO,
  index = 0,
  alt = '',
  eager = false,
}: ItemPictureProps) {
  const src = images[index]
  const [loaded, setLoaded] = useState<string>()
  const { motif, ground, discs } = madeUpPicture(title, category)
  const Icon = icons[motif]
  return (
    <Box
      className={styles['frame'] ?? ''}
      style={{ aspectRatio: ratio }}
      __vars={{
        '--picture-ground': `var(--mantine-color-${ground}-light)`,
        '--picture-shape': `var(--mantine-color-${ground}-light-hover)`,
        '--picture-ink': `var(--mantine-color-${ground}-light-color)`,
      }}
    >
      <svg
        className={styles['shapes']}
        viewBox="0 0 120 90"
        preserveAspectRatio="xMidYMid slice"
        aria-hidden
      >
        {discs.map(({ x, y, radius }) => (
          <circle key={`${x} ${y} ${radius}`} cx={x} cy={y} r={radius} />
        ))}
      </svg>
      <span className={styles['icon']} aria-hidden>
        <Icon stroke={1.25} />
      </span>
      {src && (
        <img
          key={src}
          className={styles['photo']}
          src={src}
          alt={loaded === src ? alt : ''}
          data-loaded={loaded === src || undefined}
          loading={eager ? 'eager' : 'lazy'}
          decoding="async"
          // Pictures are on anybody's servers: they need not learn who looks at what.
          referrerPolicy="no-referrer"
          onLoad={() => setLoaded(src)}
          onError={() => setLoaded(undefined)}
        />
      )}
    </Box>
  )
}
