/** Whether a wait has become long enough to say something about it. */
import { useEffect, useState } from 'react'

/** Shorter waits are no news, and what flickers is worse than what is a little late. */
const LATE_MS = 3_000

export function useLate(waiting: boolean): boolean {
  const [late, setLate] = useState(false)
  useEffect(() => {
    if (!waiting) return undefined
    const timer = setTimeout(() => setLate(true), LATE_MS)
    return () => {
      clearTimeout(timer)
      setLate(false)
    }
  }, [waiting])
  return waiting && late
}
