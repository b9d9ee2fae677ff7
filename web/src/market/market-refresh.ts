/** How often figures are asked for again, and how a figure that is being renewed stays. */
import { keepPreviousData } from '@tanstack/react-query'

/** Statistics follow a bid within a second; a person reads for longer than this. */
const REFRESH_MS = 5_000

/** Of figures of what was chosen before, until those of what is chosen now are there. */
export const OTHER_OPACITY = 0.4

type Known = { state: { data: unknown } }

/** Renews what is there. What never was is an error that stays to be read, with a button to try again. */
export function refreshWhenKnown({ state }: Known): number | false {
  return state.data === undefined ? false : REFRESH_MS
}

export function refreshing(isLive: boolean) {
  const refetchInterval = isLive ? refreshWhenKnown : (false as const)
  return { refetchInterval, placeholderData: keepPreviousData }
}
