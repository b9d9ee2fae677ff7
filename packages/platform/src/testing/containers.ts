/** Postgres, RabbitMQ and Redis from Docker, for those who have an engine. */
import type { StartedTestContainer } from 'testcontainers'
import { freePort } from '../process/free-port.ts'
import type { ProgressLog } from '../process/progress-log.ts'
import { eventually } from './eventually.ts'
import type { RunningService, ServiceName, StartedServices } from './running-service.ts'
import { serviceChecks } from './service-checks.ts'

/** An engine that is there answers in milliseconds; a dead socket must not hold the tests up. */
const detectLimitMs = 2_000
/** Pulling three images on a slow line. */
const startLimitMs = 600_000
/** From a running container to an answer: RabbitMQ on a busy machine. */
const answerLimitMs = 90_000

type Recipe = {
  image: string
  port: number
  environment: Record<string, string>
  command: readonly string[]
  /** A line of the log that says it is ready, and how many times it comes. */
  ready: { text: RegExp; times: number }
  url: (port: number) => string
}

const recipes: Record<ServiceName, Recipe> = {
  postgres: {
    image: 'postgres:18-alpine',
    port: 5432,
    environment: { POSTGRES_HOST_AUTH_METHOD: 'trust' },
    command: ['postgres', '-c', 'max_connections=300'],
    // Its first start sets the database up and begins again.
    ready: { text: /database system is ready to accept connections/, times: 2 },
    url: (port) => `postgres://postgres@127.0.0.1:${port}/postgres`,
  },
  rabbitmq: {
    image: 'rabbitmq:4-alpine',
    port: 5672,
    environment: {},
    command: [],
    ready: { text: /Server startup complete/, times: 1 },
    url: (port) => `amqp://guest:guest@127.0.0.1:${port}`,
  },
  redis: {
    image: 'redis:8-alpine',
    port: 6379,
    environment: {},
    // Protected mode refuses whoever comes through Docker's network.
    command: ['redis-server', '--save', '', '--appendonly', 'no', '--protected-mode', 'no'],
    ready: { text: /Ready to accept connections/, times: 1 },
    url: (port) => `redis://127.0.0.1:${port}`,
  },
}

/** True when a Docker engine answers; a `docker` command without an engine does not count. */
export async function dockerAnswers(): Promise<boolean> {
  const { promise: tooLate, resolve } = Promise.withResolvers<boolean>()
  const timer = setTimeout(() => resolve(false), detectLimitMs)
  const answer = import('testcontainers')
    .then(async ({ getContainerRuntimeClient }) => await getContainerRuntimeClient())
    .then(
      () => true,
      () => false,
    )
  return await Promise.race([answer, tooLate]).finally(() => clearTimeout(timer))
}

/** Starts the containers side by side; all or none. */
export async function startContainers(
  wanted: readonly ServiceName[],
  log: ProgressLog,
): Promise<StartedServices> {
  const started: StartedTestContainer[] = []
  const stop = async (): Promise<void> => {
    await Promise.all(started.map(async (container) => await container.stop()))
  }
  const results = await Promise.allSettled(
    wanted.map(async (name) => {
      log.info({ image: recipes[name].image }, 'starting a container')
      const { container, service } = await startContainer(recipes[name], serviceChecks[name])
      started.push(container)
      return [name, service] as const
    }),
  )
  const failure = results.find((result) => result.status === 'rejected')
  if (failure !== undefined) {
    await stop()
    throw failure.reason
  }
  const running = results.flatMap((result) => (result.status === 'fulfilled' ? [result.value] : []))
  return { services: Object.fromEntries(running), stop }
}

async function startContainer(
  recipe: Recipe,
  check: (url: string) => Promise<void>,
): Promise<{ container: StartedTestContainer; service: RunningService }> {
  const { GenericContainer, Wait, getContainerRuntimeClient } = await import('testcontainers')
  // A port of our choice, since Docker would pick another one at every restart.
  const port = await freePort()
  const url = recipe.url(port)
  const container = await new GenericContainer(recipe.image)
    .withExposedPorts({ container: recipe.port, host: port })
    .withEnvironment(recipe.environment)
    .withCommand([...recipe.command])
    .withWaitStrategy(Wait.forLogMessage(recipe.ready.text, recipe.ready.times))
    .withStartupTimeout(startLimitMs)
    .start()
  const runtime = await getContainerRuntimeClient()
  const engine = runtime.container.getById(container.getId())
  const answers = async (): Promise<void> =>
    await eventually(async () => await check(url), { limitMs: answerLimitMs })
  await answers().catch(async (error: unknown) => {
    await container.stop()
    throw error
  })
  let { Pid: pid } = (await engine.inspect()).State
  const service = {
    url,
    get pid() {
      return pid
    },
    kill9: async () => {
      await engine.kill({ signal: 'SIGKILL' })
      await engine.wait()
    },
    start: async () => {
      await engine.start()
      await answers()
      pid = (await engine.inspect()).State.Pid
    },
  }
  return { container, service }
}
