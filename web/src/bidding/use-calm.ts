/** Whether nobody is about to tap a card of a list: no pointer is on one, and no keyboard. */
import { type FocusEvent, type PointerEvent, useEffect, useState } from 'react'

/** A pointer that has rested for so long belongs to somebody who reads, or who is not there. */
const REST_MS = 10_000

/** For the list; `calm` is false while one of its entries is pressed, hovered or has the focus. */
export function useCalm() {
  const [pointed, setPointed] = useState(0)
  const [focused, setFocused] = useState(false)
  useEffect(() => {
    if (pointed === 0) return undefined
    const timer = setTimeout(() => setPointed(0), REST_MS)
    return () => clearTimeout(timer)
  }, [pointed])
  const point = ({ target, timeStamp }: PointerEvent): void =>
    setPointed(isInEntry(target) ? Math.ceil(timeStamp / (REST_MS / 4)) : 0)
  const leave = (): void => setPointed(0)
  const events = {
    onPointerOver: point,
    onPointerMove: point,
    onPointerDown: point,
    onPointerLeave: leave,
    onPointerCancel: leave,
    onFocus: ({ target }: FocusEvent) => setFocused(isInEntry(target)),
    onBlur: () => setFocused(false),
  }
  return { calm: pointed === 0 && !focused, events }
}

function isInEntry(target: EventTarget): boolean {
  return target instanceof Element && target.closest('li') !== null
}
