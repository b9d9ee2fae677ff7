import { defineConfig } from 'vitest/config'

// Four projects by what a test needs: nothing (unit), services (integration), processes on services
// (e2e), and processes that are killed (faults). The file name says which.
const node = { environment: 'node' as const, restoreMocks: true }
const services = {
  ...node,
  globalSetup: './packages/platform/src/testing/global-setup.ts',
  testTimeout: 60_000,
  hookTimeout: 120_000,
}

export default defineConfig({
  test: {
    // Two cores: more workers than that only make each other's waits longer.
    maxWorkers: 2,
    projects: [
      {
        test: {
          ...node,
          name: 'unit',
          include: [
            '{packages,services}/**/src/**/*.test.ts',
            '{standalone,stack,bench,scripts,e2e}/**/*.test.ts',
          ],
          exclude: ['**/node_modules/**', '**/*.{integration,e2e,faults}.test.ts'],
        },
      },
      { test: { ...services, name: 'integration', include: ['**/src/**/*.integration.test.ts'] } },
      {
        test: {
          ...services,
          name: 'e2e',
          include: ['**/src/**/*.e2e.test.ts'],
          fileParallelism: false,
        },
      },
      {
        test: {
          ...services,
          name: 'faults',
          include: ['**/src/**/*.faults.test.ts'],
          fileParallelism: false,
          testTimeout: 3_600_000,
        },
      },
    ],
  },
})
