/** Charts are fetched when they are looked at. Without their code (offline, or a new release) a page does without. */
import { Center, Text } from '@mantine/core'
import { type ComponentType, lazy } from 'react'

/** The component that `load` gives, in a place that has a height of its own. */
export function lazyChart<Props>(load: () => Promise<ComponentType<Props>>) {
  return lazy(async (): Promise<{ default: ComponentType<Props> }> => {
    try {
      return { default: await load() }
    } catch {
      return { default: NoChart }
    }
  })
}

function NoChart() {
  return (
    <Center h="100%">
      <Text c="dimmed">The chart cannot be shown just now.</Text>
    </Center>
  )
}
