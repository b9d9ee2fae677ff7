/** Says that what is on the page may be old, as long as it may be. */
import { Alert, Loader } from '@mantine/core'
import { IconWifiOff } from '@tabler/icons-react'
import { useSyncExternalStore } from 'react'
import type { Connection } from './follow-stream.ts'

function subscribe(listener: () => void): () => void {
  window.addEventListener('online', listener)
  window.addEventListener('offline', listener)
  return () => {
    window.removeEventListener('online', listener)
    window.removeEventListener('offline', listener)
  }
}

export function ConnectionBanner({ connection }: { connection: Connection }) {
  const online = useSyncExternalStore(subscribe, () => navigator.onLine)
  // A browser without a network may well reach a server on its own machine.
  if (connection !== 'lost') return null
  return (
    <Alert
      color="yellow"
      icon={online ? <Loader size="xs" color="yellow" /> : <IconWifiOff aria-hidden />}
      mb="md"
      role="status"
    >
      {online
        ? 'Connection lost. Reconnecting: prices shown here may be old.'
        : 'You are offline. Prices shown here may be old.'}
    </Alert>
  )
}
