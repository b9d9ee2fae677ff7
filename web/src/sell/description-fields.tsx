/** What an item is: the fields that can be changed later too. */
import { Autocomplete, Textarea, TextInput } from '@mantine/core'
import { type FieldsProps, FormSection } from './form-section.tsx'
import { ImageFields } from './image-fields.tsx'
import type { Description } from './item-draft.ts'
import { useCategories } from '../browse/use-categories.ts'

export function DescriptionFields({ draft, onChange, faults }: FieldsProps<Description>) {
  const categories = useCategories()
  return (
    <FormSection title="Item">
      <TextInput
        label="Title"
        placeholder="What buyers would search for"
        required
        value={draft.title}
        error={faults.get('title')}
        onChange={(event) => onChange({ title: event.currentTarget.value })}
      />
      <Textarea
        label="Description"
        placeholder="Condition, age, what is included, shipping"
        autosize
        minRows={4}
        maxRows={14}
        value={draft.description}
        error={faults.get('description')}
        onChange={(event) => onChange({ description: event.currentTarget.value })}
      />
      <Autocomplete
        label="Category"
        placeholder="Choose one or type a new one"
        data={[...categories]}
        value={draft.category}
        error={faults.get('category')}
        onChange={(category) => onChange({ category })}
      />
      <ImageFields draft={draft} faults={faults} onChange={(images) => onChange({ images })} />
    </FormSection>
  )
}
