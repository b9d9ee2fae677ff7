/** What bots are called, sell and say. */

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

export type BotItem = {
  title: string
  category: string
  /** Cents. */
  startPrice: bigint
  description: string
}

/** Small things that people put up and others want within minutes. */
export const botItems: readonly BotItem[] = (
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
    ['Bundesliga scarf, 1974', 'sports', 1_200, 'Wool, hand-knitted. Has seen a final.'],
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
    ['Globe with a lamp inside', 'curiosities', 3_000, 'Borders as of 1961. Glows in the evening.'],
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
    ['Atlas of the Moon, 1969', 'books', 3_200, 'Large format, all plates present, spine faded.'],
    ['Comics, a shoebox full', 'books', 1_400, 'Read under the blanket, all covers on.'],
  ] as const
).map(([title, category, startPrice, description]) => ({
  title,
  category,
  startPrice: BigInt(startPrice),
  description,
}))

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
