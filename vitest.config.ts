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
    // Real clocks, sockets and kills on a machine that others use too: in CI what fails is tried once more, and
    // shown as "retry x1". Whoever sees that has a test to mend. By hand nothing is hidden.
    retry: process.env['CI'] ? 1 : 0,
    projects: [
      {
        test: {
          ...node,
          name: 'unit',
          include: [
            '{packages,services}/**/src/**/*.test.ts',
            '{standalone,image,stack,bench,scripts,e2e,web}/**/*.test.ts',
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
          sequence: { groupOrder: 1 },
        },
      },
      {
        test: {
          // Without the shared services: they are for everybody, these tests kill theirs.
          ...node,
          name: 'faults',
          include: ['**/src/**/*.faults.test.ts'],
          fileParallelism: false,
          sequence: { groupOrder: 2 },
          // A round takes 2–20 s; each wait in it has a limit of its own.
          testTimeout: 300_000,
        },
      },
      {
        test: {
          ...node,
          name: 'helm',
          include: ['helm/test/*.test.ts'],
          globalSetup: './helm/test/tools.ts',
          // The first run on a machine also fetches what Kubernetes looks like.
          testTimeout: 300_000,
        },
      },
    ],
  },
})
