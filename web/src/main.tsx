/** Where the app starts. */
import './ui/styles.ts'
import './app/app.css'
import { MantineProvider } from '@mantine/core'
import { TransportProvider } from '@connectrpc/connect-query'
import { QueryClient, QueryClientProvider } from '@tanstack/react-query'
import { StrictMode } from 'react'
import { createRoot } from 'react-dom/client'
import { Router } from 'wouter'
import { App } from './app/app.tsx'
import { arrive } from './app/arrive.ts'
import { session } from './app/session.ts'
import { fetchSignInConfig } from './app/sign-in-config.ts'
import { darkSelection, theme } from './app/theme.ts'
import { client } from './app/transport.ts'
import { UserProvider } from './app/user.tsx'

/** Lists and charts are asked for again after this; what must be newer comes by streams. */
const STALE_MS = 5_000

// The server may be this very machine: without a network it is there all the same. The client tries again by itself.
const networkMode = 'always'
const queries = new QueryClient({
  defaultOptions: {
    queries: { staleTime: STALE_MS, retry: false, networkMode },
    mutations: { networkMode },
  },
})
// One address for one page: with a slash at its end it is the same.
const { origin, pathname, search, hash } = window.location
if (/.\/+$/.test(pathname)) {
  history.replaceState(null, '', origin + pathname.replace(/\/+$/, '') + search + hash)
}

const root = document.getElementById('root')
if (!root) throw new Error('index.html has no #root')

await session.start(await fetchSignInConfig())
createRoot(root).render(
  <StrictMode>
    <MantineProvider theme={theme} defaultColorScheme="auto" cssVariablesResolver={darkSelection}>
      <TransportProvider transport={client.transport}>
        <QueryClientProvider client={queries}>
          <UserProvider>
            <Router aroundNav={arrive}>
              <App />
            </Router>
          </UserProvider>
        </QueryClientProvider>
      </TransportProvider>
    </MantineProvider>
  </StrictMode>,
)
