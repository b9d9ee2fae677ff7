/** A list that grows at its end and is kept there, unless somebody reads further up. */
import { type RefObject, useLayoutEffect, useRef, useState } from 'react'

/** Nearer to the end than this counts as at the end. */
const NEAR_PX = 24

export type StayAtEnd = {
  ref: RefObject<HTMLDivElement | null>
  onScroll: () => void
  /** Something came in that is out of sight. */
  behind: boolean
  toEnd: () => void
}

/** @param entries in order; each is told from others by its `id` */
export function useStayAtEnd(entries: readonly { id: string }[]): StayAtEnd {
  const ref = useRef<HTMLDivElement>(null)
  const atEnd = useRef(true)
  const height = useRef(0)
  const [behind, setBehind] = useState(false)
  const first = entries[0]?.id
  const last = entries.at(-1)?.id

  useLayoutEffect(() => {
    const list = ref.current
    if (!list) return
    if (atEnd.current) list.scrollTop = list.scrollHeight
    else setBehind(true)
  }, [last])

  // Earlier entries were put on top: what is being read stays where it is.
  useLayoutEffect(() => {
    const list = ref.current
    if (list && !atEnd.current) list.scrollTop += list.scrollHeight - height.current
  }, [first])

  useLayoutEffect(() => {
    height.current = ref.current?.scrollHeight ?? 0
  }, [first, last])

  return {
    ref,
    behind,
    onScroll: () => {
      const list = ref.current
      if (!list) return
      atEnd.current = list.scrollHeight - list.scrollTop - list.clientHeight < NEAR_PX
      if (atEnd.current) setBehind(false)
    },
    toEnd: () => {
      const list = ref.current
      if (list) list.scrollTop = list.scrollHeight
    },
  }
}
