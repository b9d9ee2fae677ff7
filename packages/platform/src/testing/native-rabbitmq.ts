/**
 * A private RabbitMQ for tests and the local stack, beside whatever RabbitMQ the machine runs: its own
 * ports, node name, cookie, settings and data, and its own epmd, which Erlang would otherwise share with
 * the whole machine and leave behind.
 */
import { mkdir, writeFile } from 'node:fs/promises'
import { connect as connectTcp } from 'node:net'
import path from 'node:path'
import { messageOf } from '../process/errors.ts'
import { freePort } from '../process/free-port.ts'
import { sendSignal, waitForEnd } from '../process/process-end.ts'
import { startNativeProcess } from './native-process.ts'
import type { ProgressLog } from '../process/progress-log.ts'
import type { PrivateDirectory } from './private-directory.ts'
import type { RunningService } from './running-service.ts'
import { serviceChecks } from './service-checks.ts'

const killLimitMs = 5_000

export type RabbitmqFiles = {
  /** The server script itself: Debian's wrapper of the same name insists on root and changes user. */
  server: string
  epmd: string
}

/**
 * It listens ten seconds after its port was found free, when somebody else may have taken it: then it is
 * started a second time, on others.
 */
export async function startNativeRabbitmq(
  files: RabbitmqFiles,
  directory: PrivateDirectory,
  log: ProgressLog,
): Promise<RunningService> {
  try {
    return await startInstance('rabbitmq', files, directory)
  } catch (error) {
    log.warn({ error: messageOf(error) }, 'RabbitMQ did not start; once more, on other ports')
    return await startInstance('rabbitmq-2', files, directory)
  }
}

/** @param name of its directory, its log and its entries with the reaper */
async function startInstance(
  name: string,
  files: RabbitmqFiles,
  directory: PrivateDirectory,
): Promise<RunningService> {
  const home = path.join(directory.path, name)
  const [port, distributionPort, epmdPort] = [await freePort(), await freePort(), await freePort()]
  const env = environment(home, { port, distributionPort, epmdPort })
  await writeSettings(home)
  await startNativeProcess(
    {
      file: files.epmd,
      args: ['-port', String(epmdPort), '-address', '127.0.0.1'],
      env,
      logFile: path.join(directory.path, `${name}-epmd.log`),
      check: async () => await canConnect(epmdPort),
    },
    async (started) => await directory.reap(`${name}-epmd`, -started, 'KILL'),
  )
  const url = `amqp://guest:guest@127.0.0.1:${port}`
  const start = async (): Promise<number> =>
    await startNativeProcess(
      {
        file: files.server,
        args: [],
        env,
        logFile: path.join(directory.path, `${name}.log`),
        check: async () => await serviceChecks.rabbitmq(url),
      },
      async (started) => await directory.reap(name, -started, 'KILL'),
    )
  let pid = await start()
  return {
    url,
    get pid() {
      return pid
    },
    kill9: async () => {
      sendSignal(-pid, 'SIGKILL')
      if (!(await waitForEnd(pid, killLimitMs))) throw new Error('RabbitMQ outlived kill -9')
      await directory.forget(name)
    },
    start: async () => {
      pid = await start()
    },
  }
}

type Ports = { port: number; distributionPort: number; epmdPort: number }

function environment(home: string, { port, distributionPort, epmdPort }: Ports): NodeJS.ProcessEnv {
  return {
    PATH: process.env['PATH'],
    LANG: 'C.UTF-8',
    // Where the cookie lies.
    HOME: home,
    ERL_EPMD_PORT: String(epmdPort),
    ERL_EPMD_ADDRESS: '127.0.0.1',
    // The name only has to be free on our own epmd.
    RABBITMQ_NODENAME: 'bidmesh@localhost',
    RABBITMQ_NODE_IP_ADDRESS: '127.0.0.1',
    RABBITMQ_NODE_PORT: String(port),
    RABBITMQ_DIST_PORT: String(distributionPort),
    RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS: '-kernel inet_dist_use_interface {127,0,0,1}',
    RABBITMQ_MNESIA_BASE: path.join(home, 'data'),
    RABBITMQ_LOG_BASE: path.join(home, 'log'),
    RABBITMQ_PID_FILE: path.join(home, 'pid'),
    // All of these would be looked for under /etc otherwise.
    RABBITMQ_CONF_ENV_FILE: path.join(home, 'rabbitmq-env.conf'),
    RABBITMQ_CONFIG_FILE: path.join(home, 'rabbitmq.conf'),
    RABBITMQ_CONFIG_FILES: path.join(home, 'conf.d'),
    RABBITMQ_ADVANCED_CONFIG_FILE: path.join(home, 'advanced.config'),
    RABBITMQ_ENABLED_PLUGINS_FILE: path.join(home, 'enabled_plugins'),
    // Makes the script become the server, rather than stay as its parent: one process to know and kill.
    RUNNING_UNDER_SYSTEMD: 'true',
  }
}

async function writeSettings(home: string): Promise<void> {
  await mkdir(path.join(home, 'conf.d'), { recursive: true })
  await Promise.all([
    writeFile(path.join(home, 'rabbitmq-env.conf'), ''),
    writeFile(path.join(home, 'rabbitmq.conf'), 'log.console = true\nlog.file = false\n'),
    writeFile(path.join(home, 'advanced.config'), '[].\n'),
    writeFile(path.join(home, 'enabled_plugins'), '[].\n'),
  ])
}

async function canConnect(port: number): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<undefined>()
  const socket = connectTcp(port, '127.0.0.1', () => resolve(undefined))
  socket.once('error', reject)
  await promise.finally(() => socket.destroy())
}
