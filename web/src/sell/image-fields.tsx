/** The pictures of an item: an address each, with a look at what it shows. The first is the cover. */
import { ActionIcon, Box, Button, Group, Input, Stack, Text, TextInput } from '@mantine/core'
import { useDebouncedValue } from '@mantine/hooks'
import { IconPlus, IconTrash } from '@tabler/icons-react'
import { type Description, type Faults, IMAGES_MAX } from './item-draft.ts'
import { ItemPicture } from '../item/item-picture.tsx'

/** An address that is being typed is no address yet. */
const TYPING_PAUSE_MS = 500

export type ImageFieldsProps = {
  draft: Description
  faults: Faults
  onChange: (images: readonly string[]) => void
}

export function ImageFields({ draft, faults, onChange }: ImageFieldsProps) {
  const { images } = draft
  const [settled] = useDebouncedValue(images, TYPING_PAUSE_MS)
  const fault = faults.get('images')
  const put = (line: number, url: string): void =>
    onChange(images.map((old, at) => (at === line ? url : old)))
  const remove = (line: number): void => {
    const rest = images.filter((_, at) => at !== line)
    onChange(rest.length === 0 ? [''] : rest)
  }
  return (
    <Stack gap="xs" role="group" aria-label="Pictures">
      <Input.Label component="div">Pictures</Input.Label>
      {images.map((url, line) => (
        // Lines have no identity of their own: what stands in them is theirs, wherever it moves.
        <Group key={line} gap="xs" wrap="nowrap" align="flex-start">
          <Thumbnail draft={draft} url={settled[line] ?? ''} />
          <TextInput
            flex={1}
            aria-label={line === 0 ? 'Cover picture URL' : `Picture ${line + 1} URL`}
            placeholder={line === 0 ? 'https://… (cover)' : 'https://…'}
            inputMode="url"
            value={url}
            error={faults.get(`images[${line}]`)}
            onChange={(event) => put(line, event.currentTarget.value)}
          />
          <ActionIcon
            variant="default"
            size={36}
            aria-label={line === 0 ? 'Remove cover picture' : `Remove picture ${line + 1}`}
            disabled={images.length === 1 && url === ''}
            onClick={() => remove(line)}
          >
            <IconTrash size={16} />
          </ActionIcon>
        </Group>
      ))}
      {fault !== undefined && <Input.Error>{fault}</Input.Error>}
      <Group justify="space-between">
        <Button
          variant="light"
          size="compact-sm"
          leftSection={<IconPlus size={14} aria-hidden />}
          disabled={images.length >= IMAGES_MAX}
          onClick={() => onChange([...images, ''])}
        >
          Add a picture
        </Button>
        <Text size="xs" c="dimmed">
          Up to {IMAGES_MAX}. Without one, a placeholder is shown.
        </Text>
      </Group>
    </Stack>
  )
}

function Thumbnail({ draft, url }: { draft: Description; url: string }) {
  const images = /^(https?:\/\/|\/)\S+$/.test(url.trim()) ? [url.trim()] : []
  return (
    <Box w={48} bdrs="sm" style={{ overflow: 'hidden', flexShrink: 0 }}>
      <ItemPicture item={{ title: draft.title, category: draft.category, images }} />
    </Box>
  )
}
