/**
 * Which faults of a form are shown. None while it is first filled in; from the first attempt to send it, what is
 * wrong at the moment. Every failed attempt puts the focus on the first field that is wrong.
 */
import { type RefObject, useEffect, useRef, useState } from 'react'
import type { Faults } from './item-draft.ts'

export type FormFaults = {
  form: RefObject<HTMLFormElement | null>
  shown: Faults
  /** Whether the form can be sent; from now on its faults are shown. */
  attempt: () => boolean
  /** The server found these. */
  refuse: (faults: Faults) => void
  /** Something was changed: what the last attempt found may no longer be so. */
  forget: () => void
}

const none: Faults = new Map()

type Field = { name: string; validity: { badInput: boolean } }

/** Fields with something in them that is no value, such as a date without its time: a page reads them as empty. */
export function halfFilled(fields: Iterable<Field>): Faults {
  const faults = new Map<string, string>()
  for (const { name, validity } of fields) {
    if (validity.badInput) faults.set(name, 'Enter a full date and time.')
  }
  return faults
}

/** @param found what is wrong with the form as it is now */
export function useFormFaults(found: Faults): FormFaults {
  const form = useRef<HTMLFormElement>(null)
  const [attempts, setAttempts] = useState(0)
  const [refused, setRefused] = useState(none)
  useEffect(() => {
    if (attempts > 0) form.current?.querySelector<HTMLElement>('[aria-invalid="true"]')?.focus()
  }, [attempts])
  return {
    form,
    shown: attempts > 0 ? new Map([...found, ...refused]) : none,
    attempt: () => {
      const half = halfFilled(form.current?.querySelectorAll('input') ?? [])
      setRefused(half)
      setAttempts((count) => count + 1)
      return found.size === 0 && half.size === 0
    },
    refuse: (faults) => {
      setRefused(faults)
      setAttempts((count) => count + 1)
    },
    forget: () => setRefused(none),
  }
}
