/** Asks each kind of backing service something in its own protocol: an open port proves nothing yet. */
import { connect as connectTcp } from 'node:net'
import { connect as connectAmqp } from 'amqplib'
import { checkPostgres, connectPostgres } from '../postgres/postgres.ts'

/** It answers a PING in microseconds, or is not there. */
const pingLimitMs = 1_000
/** A RabbitMQ that boots accepts connections before it answers on them. */
const logInLimitMs = 5_000

/** Each resolves when the service at the URL answers, and rejects with the reason otherwise. */
export const serviceChecks = {
  postgres: async (url: string): Promise<void> => {
    const sql = connectPostgres(url, { max: 1, applicationName: 'bidmesh-check' })
    await checkPostgres(sql).finally(() => void sql.end({ timeout: 0 }))
  },
  rabbitmq: async (url: string): Promise<void> => {
    const connection = await connectAmqp(url, { timeout: logInLimitMs })
    await connection.close()
  },
  redis: async (url: string): Promise<void> => {
    const { port, hostname } = new URL(url)
    const { promise, resolve, reject } = Promise.withResolvers<undefined>()
    const socket = connectTcp(Number(port), hostname, () => socket.write('PING\r\n'))
    socket.setTimeout(pingLimitMs, () => reject(new Error('no answer to PING')))
    socket.once('error', reject)
    socket.once('close', () => reject(new Error('connection closed')))
    socket.once('data', (data) => {
      if (data.toString().startsWith('+PONG')) resolve(undefined)
      else reject(new Error(data.toString()))
    })
    await promise.finally(() => socket.destroy())
  },
}
