/** What a run of fault tests plays: FAULT_ROUNDS seeds from a random one on, or the one named by SEED. */

/** A start of all services, on a machine that other tests keep busy. */
export const startLimitMs = 180_000

const { SEED, FAULT_ROUNDS } = process.env
const firstSeed = Math.floor(Math.random() * 1_000_000)

/** The series was asked for at a length of its own, not as a part of all tests. */
export const isLongSeries = Boolean(FAULT_ROUNDS)

/** @param rounds how many without FAULT_ROUNDS */
export function faultSeeds(rounds: number): number[] {
  if (SEED) return [Number(SEED)]
  const count = Number(FAULT_ROUNDS ?? rounds)
  return Array.from({ length: count }, (_, round) => firstSeed + round)
}
