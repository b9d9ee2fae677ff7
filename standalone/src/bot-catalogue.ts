/** What bots are called, sell and say, and what things are worth to them. */
import { createHash } from 'node:crypto'

/** First names nobody else of the demo has; later bots get a number behind theirs. */
const names = [
  'Ada, Amir, Anouk, Aroha, Bastien, Bea, Carmen, Chidi, Dario, Dilara, Elif, Emeka, Esme, Farid',
  'Freya, Gael, Greta, Hana, Henrik, Ines, Ivo, Jamila, Jonas, Kaito, Karla, Leila, Lorenzo, Mads',
  'Maren, Mei, Milan, Nils, Noor, Olga, Otis, Paloma, Petra, Quinn, Ravi, Rosa, Saga, Sami, Suki',
  'Tamar, Theo, Uma, Viktor, Wanda, Xenia, Yara, Yusuf, Zoe',
].flatMap((line) => line.toLowerCase().split(', '))

/** A name of its own for each, from 0 on. */
export function botName(index: number): string {
  const name = names[index % names.length] ?? 'bot'
  const round = Math.floor(index / names.length)
  return round === 0 ? name : `${name}-${round + 1}`
}

/** Something that people put up and others want within minutes. */
type Thing = {
  title: string
  category: string
  /** What the average bidder thinks it is worth, in cents. */
  worth: bigint
  description: string
}

const things: readonly Thing[] = (
  [
    [
      'Brass ship clock',
      'curiosities',
      6_500,
      'Eight-day movement, keeps time to a minute a week.',
    ],
    [
      'Polaroid SX-70',
      'cameras',
      7_000,
      'Folds and focuses as it should. Tan leather, a little worn.',
    ],
    ['Set of six café chairs', 'furniture', 9_000, 'Bentwood, cane seats, one of them re-caned.'],
    ['Bundesliga scarf', 'sports', 1_200, 'Wool, hand-knitted. Has seen a final.'],
    [
      'Moka pot, three cups',
      'kitchen',
      900,
      'Aluminium, new seal. Makes better coffee than it looks.',
    ],
    ['Cast-iron pan, 28 cm', 'kitchen', 1_800, 'Seasoned for thirty years by one grandmother.'],
    [
      'Field recorder, reel to reel',
      'music',
      11_000,
      'Belts replaced, heads clean, two tapes with it.',
    ],
    ['Blue in Green, test pressing', 'records', 5_500, 'White label, played twice. Plain sleeve.'],
    [
      'Box of 40 jazz singles',
      'records',
      2_500,
      'Unsorted; the owner says there is one gem among them.',
    ],
    ['Sheepskin flying jacket', 'clothing', 8_000, 'Size 50. Warm beyond reason, zip works.'],
    ['Harris tweed coat', 'clothing', 4_000, 'Herringbone, lined, two buttons replaced.'],
    ['Globe with a lamp inside', 'curiosities', 3_000, 'Old borders. Glows in the evening.'],
    ['Enamel street sign', 'curiosities', 2_200, 'Rue du Puits, chipped at two corners.'],
    ['Teak bar cart', 'furniture', 7_500, 'Two trays, brass wheels that roll straight.'],
    ['Reading lamp, anglepoise', 'furniture', 3_500, 'Stays where it is put. New cable.'],
    ['Nylon-string guitar', 'music', 9_500, 'Cedar top, made in Valencia. One repaired crack.'],
    ['Kalimba, 17 keys', 'music', 1_500, 'Walnut, in tune, with its hammer and a soft bag.'],
    ['Wooden sledge', 'sports', 2_000, 'Ash, iron runners. Waxed and ready for snow.'],
    ['Tennis racket, laminated wood', 'sports', 1_600, 'With its press. Strings are new.'],
    [
      'Twin-lens reflex',
      'cameras',
      10_500,
      'Shutter good at all speeds, one mark on the taking lens.',
    ],
    ['Slide projector and 300 slides', 'cameras', 2_800, 'Alps, mostly. Somebody was happy there.'],
    ['First edition, in Portuguese', 'books', 4_500, 'Pessoa, paper covers, uncut pages.'],
    ['Atlas of the Moon', 'books', 3_200, 'Large format, all plates present, spine faded.'],
    ['Comics, a shoebox full', 'books', 1_400, 'Read under the blanket, all covers on.'],
    ['Tin toy locomotive', 'curiosities', 5_200, 'Winds up, runs in circles, whistles.'],
    ['Barometer in walnut', 'curiosities', 8_800, 'Points to "change", and is usually right.'],
    ['Fountain pen, gold nib', 'curiosities', 12_000, 'Fine nib, piston draws, cap holds.'],
    ['Wall telephone', 'curiosities', 4_600, 'Bell box below. Has rung for good news.'],
    ['Wool blanket, hand-woven', 'clothing', 3_800, 'Undyed, heavy, without a moth.'],
    ['Work jacket, moleskin', 'clothing', 2_900, 'Blue, darned at one elbow.'],
    ['Hiking boots', 'sports', 3_300, 'Size 42, resoled, broken in by somebody patient.'],
    ['Chess set, boxwood', 'sports', 5_800, 'Weighted, felted, all thirty-two of them.'],
    ['Rowing machine', 'sports', 9_900, 'Water tank, ash frame. Folds up against a wall.'],
    ['Portable typewriter', 'curiosities', 7_200, 'Types straight; new ribbon, case with key.'],
    ['Copper saucepan', 'kitchen', 6_400, 'Tinned again, 2 mm, brass handle.'],
    [
      'Espresso machine, lever',
      'kitchen',
      38_000,
      'Seals renewed, holds nine bar, heavy as a calf.',
    ],
    ['Set of six wine glasses', 'kitchen', 4_200, 'Hand-blown, thin, none chipped.'],
    ['Bread crock, stoneware', 'kitchen', 2_600, 'Lid fits. Keeps a loaf for a week.'],
    ['Accordion, 48 basses', 'music', 26_000, 'Bellows tight, two reeds tuned last year.'],
    ['Trumpet, brass lacquer', 'music', 18_500, 'Valves quick, one dent out of sight.'],
    ['Record player', 'music', 14_000, 'New belt and needle. Hum-free.'],
    ['Desk lamp, green shade', 'furniture', 6_900, 'Brass foot, pull chain, new socket.'],
    ['Chest of drawers, pine', 'furniture', 22_000, 'Dovetailed, four drawers that glide.'],
    [
      'Sideboard, rosewood',
      'furniture',
      64_000,
      'Sliding doors, keys present. Two people to lift.',
    ],
    ['Travel camera, folding', 'cameras', 8_300, 'Bellows light-tight, lens clear.'],
    ['Enlarger with two lenses', 'cameras', 6_100, 'Up to 6 × 6, with timer and easel.'],
    ['Bird guide, plates by hand', 'books', 11_500, 'Complete, two plates loose.'],
    ['Road maps, a whole drawer', 'books', 2_100, 'Of countries some of which have gone.'],
    ['Live recording, signed', 'records', 9_400, 'Signed on the sleeve by three of four.'],
  ] as const
).map(([title, category, worth, description]) => ({
  title,
  category,
  worth: BigInt(worth),
  description,
}))

/** Years in which any of them may have been made: {@link things} × these are the titles there are. */
const FIRST_YEAR = 1921
const YEARS = 70

/** Where things come from; told behind their description. */
const stories = [
  'One owner.',
  'From an attic in Lisbon.',
  'From the estate of a schoolteacher.',
  'Bought new by my grandfather.',
  'Found at a flea market, cleaned since.',
  'I am moving, so it has to go.',
  'In its box, with the papers.',
]

/** In cents, of the demo items: what bidders compare with. */
const demoWorth: Readonly<Record<string, number>> = {
  'Bakelite table telephone': 6_500,
  'Hand-thrown tea bowl': 4_200,
  'Goalkeeper’s shirt, 1990': 15_000,
  'Armchair, oak and wool': 62_000,
  'Upright piano, 1911': 95_000,
  'Leica M3 rangefinder, 1957': 165_000,
  'Walnut writing desk': 78_000,
  'First pressing: Kind of Blue': 24_000,
  'Steel road bicycle, 56 cm': 88_000,
  'Box of 200 wooden type letters': 9_000,
}

/** Cents: what is known of nothing else is worth something between these. */
const unknownWorth = { least: 2_000, spread: 30_000 }

/** What the average bidder would pay, in cents. By what it is, never by what its seller asks. */
export function worthOf(title: string): bigint {
  const known = demoWorth[title]
  if (known !== undefined) return BigInt(known)
  const thing = things.find((each) => title.startsWith(each.title))
  if (thing) return thing.worth
  const digest = createHash('sha256').update(title).digest()
  return BigInt(unknownWorth.least + (digest.readUInt32BE() % unknownWorth.spread))
}

export type BotItem = {
  title: string
  category: string
  /** Cents. */
  startPrice: bigint
  description: string
}

/**
 * Sellers ask for this share of what a thing is worth, in percent. The most that anybody pays is about 145:
 * some ask too much, and go home with what they brought.
 */
const ASK_PERCENT_LEAST = 20
const ASK_PERCENT_SPREAD = 150

/** How many titles there are: more than the bots of any demo put up in an hour. */
export const titleCount = things.length * YEARS

/** @param chance in [0, 1), as `Math.random` */
export function newBotItem(chance: () => number): BotItem {
  const { title, category, worth, description } = pick(things, chance)
  const percent = BigInt(Math.floor(ASK_PERCENT_LEAST + ASK_PERCENT_SPREAD * chance()))
  const ask = (worth * percent) / 100n
  return {
    title: `${title}, ${FIRST_YEAR + Math.floor(YEARS * chance())}`,
    category,
    // Nobody asks for 23.17.
    startPrice: ask - (ask % 50n) || 50n,
    description: `${description} ${pick(stories, chance)}`,
  }
}

export function pick<T>(choices: readonly T[], chance: () => number): T {
  const choice = choices[Math.floor(chance() * choices.length)]
  if (choice === undefined) throw new Error('nothing to pick from')
  return choice
}

/** What a bidder says while others can still bid. */
export const botLines: readonly string[] = [
  'Lovely thing. Is there a scratch on the back?',
  'I had one of these as a child.',
  'That went up fast!',
  'One more, then I stop. Really.',
  'Does it come with the box?',
  'Good luck everybody.',
  'Too rich for me, enjoy it!',
  'Who keeps raising by the minimum?',
  'This would look great in my kitchen.',
  'Seller, do you ship abroad?',
  'Still a bargain.',
  'My finger is on the button.',
]
