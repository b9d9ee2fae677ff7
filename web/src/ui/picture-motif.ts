/** What stands in for a missing picture: always the same for the same title and category. Pure. */

export type Motif =
  | 'art'
  | 'bicycle'
  | 'book'
  | 'camera'
  | 'car'
  | 'clock'
  | 'clothes'
  | 'coin'
  | 'computer'
  | 'furniture'
  | 'game'
  | 'jewel'
  | 'music'
  | 'record'
  | 'thing'
  | 'toy'
  | 'wine'

/** Words of categories, as beginnings so that "camera" and "cameras" are one. */
const words: readonly (readonly [RegExp, Motif])[] = [
  [/\b(camera|photo|lens)/, 'camera'],
  [/\b(furniture|chair|desk|sofa|table|home)/, 'furniture'],
  [/\b(record|vinyl|album)/, 'record'],
  [/\b(music|instrument|guitar|piano|audio|hifi)/, 'music'],
  [/\b(sport|bicycle|bike|cycling|outdoor)/, 'bicycle'],
  [/\b(arts?\b|painting|print|poster)/, 'art'],
  [/\b(book|comic|magazine|map|manuscript)/, 'book'],
  [/\b(watch|clock|time)/, 'clock'],
  [/\b(jewel|ring|gem|gold|silver)/, 'jewel'],
  [/\b(coin|stamp|money|medal)/, 'coin'],
  [/\b(game|console|chess)/, 'game'],
  [/\b(computer|electronic|phone|tech|laptop)/, 'computer'],
  [/\b(cars?\b|motor|vehicle|automobile)/, 'car'],
  [/\b(cloth|fashion|shoe|bag|textile)/, 'clothes'],
  [/\b(toy|doll|model|lego)/, 'toy'],
  [/\b(wine|spirit|whisk|drink)/, 'wine'],
]

/** Colours of the theme that look well as a ground. */
export const grounds = [
  'teal',
  'indigo',
  'orange',
  'grape',
  'cyan',
  'pink',
  'lime',
  'violet',
  'blue',
  'yellow',
] as const

/** A disc in a picture 120 wide and 90 high. */
export type Disc = { x: number; y: number; radius: number }

export type Made = { motif: Motif; ground: (typeof grounds)[number]; discs: readonly Disc[] }

const DISCS = 4

/** The motif by the category, the colour and the shapes by the title too. */
export function madeUpPicture(title: string, category: string): Made {
  const named = category.toLowerCase()
  const motif = words.find(([pattern]) => pattern.test(named))?.[1] ?? 'thing'
  const ground = grounds[hash(`${category} ${title}`) % grounds.length] ?? grounds[0]
  const discs = Array.from({ length: DISCS }, (_, index) => {
    const chance = hash(`${index} ${title}`)
    return {
      x: chance % 120,
      y: (chance >>> 8) % 90,
      radius: 12 + ((chance >>> 16) % 30),
    }
  })
  return { motif, ground, discs }
}

/** FNV-1a, 32 bits: spreads titles that differ by a letter. */
function hash(text: string): number {
  let value = 0x811c9dc5
  for (let index = 0; index < text.length; index++) {
    value = Math.imul(value ^ text.charCodeAt(index), 0x01000193)
  }
  // The low bits of FNV are weak: fold the high ones in.
  return (value ^ (value >>> 15)) >>> 0
}
