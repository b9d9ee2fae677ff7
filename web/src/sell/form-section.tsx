/** A part of a form with a heading, and what its fields have in common. */
import { Fieldset, Stack } from '@mantine/core'
import type { ReactNode } from 'react'
import type { Faults } from './item-draft.ts'

/** What a part of a form is given: the draft, a way to change it, and what is wrong with it. */
export type FieldsProps<Draft> = {
  draft: Draft
  onChange: (change: Partial<Draft>) => void
  faults: Faults
}

export function FormSection({ title, children }: { title: string; children: ReactNode }) {
  return (
    <Fieldset legend={title} variant="default" p="md">
      <Stack gap="md">{children}</Stack>
    </Fieldset>
  )
}
