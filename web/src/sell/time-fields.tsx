/** When bidding opens and ends, and what bids in the last moment do to the end. */
import {
  Button,
  Group,
  Input,
  SegmentedControl,
  SimpleGrid,
  Stack,
  Switch,
  Text,
  TextInput,
} from '@mantine/core'
import { type FieldsProps, FormSection } from './form-section.tsx'
import type { ItemDraft } from './item-draft.ts'
import { serverNow } from '../app/server-time.tsx'
import { fromField, toField } from './wall-time.ts'

const MINUTE_MS = 60_000
const HOUR_MS = 60 * MINUTE_MS
export const DAY_MS = 24 * HOUR_MS

const lengths = [
  { label: '10 min', ms: 10 * MINUTE_MS },
  { label: '1 hour', ms: HOUR_MS },
  { label: '1 day', ms: DAY_MS },
  { label: '1 week', ms: 7 * DAY_MS },
] as const

export function TimeFields({ draft, onChange, faults }: FieldsProps<ItemDraft>) {
  const zone = Intl.DateTimeFormat().resolvedOptions().timeZone
  const last = (ms: number): void =>
    onChange({ endAt: toField((fromField(draft.startAt) ?? serverNow()) + ms) })
  return (
    <FormSection title="Schedule">
      <SimpleGrid cols={{ base: 1, xs: 2 }}>
        <TextInput
          type="datetime-local"
          name="endAt"
          label="End time"
          description={`Your time zone: ${zone}`}
          required
          value={draft.endAt}
          error={faults.get('endAt')}
          onChange={(event) => onChange({ endAt: event.currentTarget.value })}
        />
        <TextInput
          type="datetime-local"
          name="startAt"
          label="Start time (optional)"
          description="Leave empty to start now"
          value={draft.startAt}
          error={faults.get('startAt')}
          onChange={(event) => onChange({ startAt: event.currentTarget.value })}
        />
      </SimpleGrid>
      <Group gap={6} role="group" aria-label="Duration">
        <Text size="sm" c="dimmed" aria-hidden visibleFrom="xs">
          Duration
        </Text>
        {lengths.map(({ label, ms }) => (
          <Button key={label} variant="default" size="compact-sm" onClick={() => last(ms)}>
            {label}
          </Button>
        ))}
      </Group>
      <SoftCloseFields draft={draft} onChange={onChange} faults={faults} />
    </FormSection>
  )
}

const softCloseFields = {
  add: [
    { name: 'window', label: 'Bid in the last', unit: 's' },
    { name: 'extension', label: 'Extends by', unit: 's' },
    { name: 'maxExtensions', label: 'Up to', unit: 'times' },
  ],
  reset: [
    { name: 'window', label: 'A late bid leaves', unit: 's' },
    { name: 'maxTotal', label: 'In all (optional)', unit: 'min' },
  ],
} as const

const modes: { value: ItemDraft['mode']; label: string }[] = [
  { value: 'add', label: 'By a fixed time' },
  { value: 'reset', label: 'Restart the countdown' },
]

function SoftCloseFields({ draft, onChange, faults }: FieldsProps<ItemDraft>) {
  return (
    <Stack gap="xs">
      <Switch
        label="Extend the auction after late bids"
        description="So that nobody wins by bidding in the last second"
        checked={draft.softClose}
        onChange={(event) => onChange({ softClose: event.currentTarget.checked })}
      />
      {draft.softClose && (
        <SegmentedControl
          aria-label="How late bids extend the auction"
          data={modes}
          value={draft.mode}
          onChange={(mode) => onChange({ mode })}
        />
      )}
      {draft.softClose && (
        <SimpleGrid cols={3} spacing="xs" role="group" aria-label="Extensions">
          {softCloseFields[draft.mode].map(({ name, label, unit }) => (
            <TextInput
              key={name}
              label={label}
              inputMode="numeric"
              value={draft[name]}
              error={faults.get(`softClose.${name}`)}
              rightSection={<Input.Description>{unit}</Input.Description>}
              rightSectionWidth={48}
              rightSectionPointerEvents="none"
              onChange={(event) => onChange({ [name]: event.currentTarget.value })}
            />
          ))}
        </SimpleGrid>
      )}
    </Stack>
  )
}
