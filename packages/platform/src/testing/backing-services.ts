/**
 * Where tests and the local stack get Postgres, RabbitMQ and Redis, never skipping silently: what
 * TEST_DATABASE_URL, TEST_AMQP_URL and TEST_REDIS_URL name; the rest from Docker when its engine answers;
 * else as private instances of the machine's own binaries, installed first where we may; else one message
 * that says what to install. The machine's running services are never touched.
 */
import type { ProgressLog } from '../process/progress-log.ts'
import { dockerAnswers, startContainers } from './containers.ts'
import { installPrograms, type Program } from './install.ts'
import { startNativePostgres } from './native-postgres.ts'
import { startNativeRabbitmq } from './native-rabbitmq.ts'
import { startNativeRedis } from './native-redis.ts'
import { createPrivateDirectory, type PrivateDirectory } from './private-directory.ts'
import {
  type Controllable,
  type RunningService,
  type ServiceName,
  serviceNames,
  type StartedServices,
} from './running-service.ts'

const variables = {
  postgres: 'TEST_DATABASE_URL',
  rabbitmq: 'TEST_AMQP_URL',
  redis: 'TEST_REDIS_URL',
} as const satisfies Record<ServiceName, string>

/** Programs that npm does not bring. */
const needs: Record<ServiceName, readonly Program[]> = {
  postgres: [],
  rabbitmq: ['rabbitmq-server', 'epmd'],
  redis: ['redis-server'],
}

export type BackingServices = {
  /** The database `postgres`, or the one that was named: create others from it. */
  databaseUrl: string
  amqpUrl: string
  redisUrl: string
  source: 'environment' | 'docker' | 'native'
  /** Ends what was started here and removes its data. */
  stop: () => Promise<void>
  /** Each is there when it was started here. */
  postgres?: Controllable
  rabbitmq?: Controllable
  redis?: Controllable
}

/** @param env where the three variables are looked for; `{}` has every service started here, to be killed */
export async function startBackingServices({
  log,
  env = process.env,
}: {
  log: ProgressLog
  env?: NodeJS.ProcessEnv
}): Promise<BackingServices> {
  const wanted = serviceNames.filter((name) => !env[variables[name]])
  const source = wanted.length === 0 ? 'environment' : (await dockerAnswers()) ? 'docker' : 'native'
  const { services, stop } = await start[source](wanted, log)
  const url = (name: ServiceName): string => services[name]?.url ?? env[variables[name]] ?? ''
  return {
    ...services,
    databaseUrl: url('postgres'),
    amqpUrl: url('rabbitmq'),
    redisUrl: url('redis'),
    source,
    stop,
  }
}

const start: Record<
  BackingServices['source'],
  (wanted: readonly ServiceName[], log: ProgressLog) => Promise<StartedServices>
> = {
  environment: async () => ({ services: {}, stop: async () => undefined }),
  docker: startContainers,
  native: startNative,
}

async function startNative(
  wanted: readonly ServiceName[],
  log: ProgressLog,
): Promise<StartedServices> {
  const programs = await installPrograms(
    wanted.flatMap((name) => needs[name]),
    log,
  )
  log.info({ services: wanted.join(', ') }, 'starting private services')
  const directory = await createPrivateDirectory()
  const starters: Record<ServiceName, () => Promise<RunningService>> = {
    postgres: async () => await startNativePostgres(directory, log),
    rabbitmq: async () =>
      await startNativeRabbitmq(
        { server: programs('rabbitmq-server'), epmd: programs('epmd') },
        directory,
        log,
      ),
    redis: async () => await startNativeRedis(programs('redis-server'), directory),
  }
  return { services: await startAll(wanted, starters, directory), stop: directory.remove }
}

async function startAll(
  wanted: readonly ServiceName[],
  starters: Record<ServiceName, () => Promise<RunningService>>,
  directory: PrivateDirectory,
): Promise<StartedServices['services']> {
  // All settled before any failure is told: a server that is still starting would miss its end.
  const results = await Promise.allSettled(wanted.map(async (name) => await starters[name]()))
  const services: StartedServices['services'] = {}
  const failures: unknown[] = []
  for (const [index, result] of results.entries()) {
    const name = wanted[index]
    if (result.status === 'rejected') failures.push(result.reason)
    else if (name !== undefined) services[name] = result.value
  }
  if (failures.length === 0) return services
  await directory.remove()
  throw failures.length === 1 ? failures[0] : new AggregateError(failures, 'services did not start')
}
