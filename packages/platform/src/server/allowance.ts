/** So much at once, and so much more each second. */
export type Allowance = {
  /** False when more was spent than there was. */
  spend: (amount: number) => boolean
}

/** @param now the clock in ms, for tests */
export function createAllowance(
  { burst, perSecond }: { burst: number; perSecond: number },
  now: () => number = () => performance.now(),
): Allowance {
  let left = burst
  let atMs = now()
  return {
    spend: (amount) => {
      const nowMs = now()
      left = Math.min(burst, left + ((nowMs - atMs) / 1_000) * perSecond) - amount
      atMs = nowMs
      return left >= 0
    },
  }
}
