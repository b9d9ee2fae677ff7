/** Random numbers that a seed brings back: what a failed round did can be done again. */

export type Random = {
  /** An integer from `least` to `most`, both included. */
  between: (least: number, most: number) => number
  /** One of them, which must be at least one. */
  pick: <T>(choices: readonly T[]) => T
}

/**
 * The generator mulberry32 (Tommy Ettinger, public domain): small, and random enough for moments.
 *
 * @param seed 0 to 2^32 − 1
 */
export function seededRandom(seed: number): Random {
  let state = seed >>> 0
  /** In [0, 1). */
  const next = (): number => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
  return {
    between: (least, most) => least + Math.floor(next() * (most - least + 1)),
    pick: <T>(choices: readonly T[]): T => {
      const choice = choices[Math.floor(next() * choices.length)]
      if (choice === undefined) throw new Error('nothing to pick from')
      return choice
    },
  }
}
