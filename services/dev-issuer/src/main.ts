/** The development issuer as a process of its own, for the local stack, Compose and Kind. */
import { runProcess } from '@bidmesh/platform/process/run-process.ts'
import { readDevIssuerConfig } from './config.ts'
import { createDevIssuerComponent } from './dev-issuer-component.ts'

await runProcess({
  name: 'dev-issuer',
  config: readDevIssuerConfig,
  start: async (config, { log }) => [
    createDevIssuerComponent({
      issuer: config.DEV_ISSUER_URL,
      webUrls: config.DEV_ISSUER_WEB_URLS,
      tokenSeconds: config.DEV_ISSUER_TOKEN_SECONDS,
      log,
    }),
  ],
})
