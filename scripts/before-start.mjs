/**
 * What would keep standalone from starting, told in one sentence before anything is installed or built: a port
 * that is taken, a data directory that cannot be used. Plain JavaScript, because it runs on whatever Node there
 * is; standalone itself checks again.
 */
import { accessSync, constants, existsSync, statSync } from 'node:fs'
import { createServer } from 'node:net'
import path from 'node:path'

const { PORT = '8080', HOST = '127.0.0.1', BIDMESH_DATA_DIR = '.data' } = process.env

function refuse(reason) {
  process.stderr.write(`${reason}\n`)
  process.exit(1)
}

/** The directory itself, or the nearest that is there: the rest will be made in it. */
function nearest(directory) {
  return existsSync(directory) ? directory : nearest(path.dirname(directory))
}

const directory = path.resolve(BIDMESH_DATA_DIR)
const place = nearest(directory)
const elsewhere = 'set BIDMESH_DATA_DIR to another directory'
if (!statSync(place).isDirectory()) {
  refuse(`BIDMESH_DATA_DIR: ${place} is not a directory: ${elsewhere}`)
}
try {
  accessSync(place, constants.R_OK | constants.W_OK | constants.X_OK)
} catch {
  refuse(`BIDMESH_DATA_DIR: ${place} cannot be written to: change its owner, or ${elsewhere}`)
}

const port = Number(PORT)
if (!Number.isInteger(port) || port < 1 || port > 65_535) {
  refuse(`PORT: '${PORT}' is no port: choose one from 1 to 65535, such as PORT=8080`)
}
const server = createServer()
server.on('error', ({ code, message }) => {
  const another = `PORT=${port === 65_535 ? 8080 : port + 1} make start`
  if (code === 'EADDRINUSE') {
    refuse(
      `port ${port} of ${HOST} is taken: stop the program that has it, or take another: ${another}`,
    )
  }
  if (code === 'EACCES') refuse(`port ${port} is not for every user: take another: ${another}`)
  refuse(`HOST=${HOST}, PORT=${port}: ${message}`)
})
server.listen({ port, host: HOST }, () => server.close())
