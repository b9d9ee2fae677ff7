/** Keeps `SERVICE_TOKEN_FILE` fresh with tokens of the development issuer, beside a process that reads it. */
import { once } from 'node:events'
import { readServiceTokenConfig } from './config.ts'
import { keepServiceToken } from './keep-service-token.ts'

const { DEV_ISSUER_URL, SERVICE_TOKEN_FILE = '' } = readServiceTokenConfig()
const stop = new AbortController()
for (const signal of ['SIGTERM', 'SIGINT'] as const) process.on(signal, () => stop.abort())
await keepServiceToken({
  issuer: DEV_ISSUER_URL,
  file: SERVICE_TOKEN_FILE,
  signal: stop.signal,
  warn: (words) => process.stderr.write(`${words}\n`),
})
if (!stop.signal.aborted) await once(stop.signal, 'abort')
