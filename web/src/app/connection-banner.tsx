/** Says that what is on the page may be old, as long as it may be. */
import { Alert, Loader } from '@mantine/core'
import { IconWifiOff } from '@tabler/icons-react'
import type { Connection } from './follow-stream.ts'
import { useOffline } from './use-offline.ts'

export function ConnectionBanner({ connection }: { connection: Connection }) {
  const offline = useOffline()
  if (connection !== 'lost' && !offline) return null
  return (
    <Alert
      color="yellow"
      icon={offline ? <IconWifiOff aria-hidden /> : <Loader size="xs" color="yellow" />}
      mb="md"
      role="status"
    >
      {offline
        ? 'You are offline. Prices shown here may be old.'
        : 'Connection lost. Reconnecting: prices shown here may be old.'}
    </Alert>
  )
}
