/**
 * Stands in for a service where the supervision itself is tested: ready at the third probe, stops as a
 * service does, and can be told by its environment to fail.
 */
import { createServer } from 'node:http'

const failure = process.env['STAND_IN_FAILURE']
if (failure !== undefined) {
  process.stderr.write(`${failure}\n`)
  process.exit(1)
}

let probesLeft = 2
const server = createServer((_request, response) => {
  response.statusCode = probesLeft > 0 ? 503 : 200
  probesLeft -= 1
  response.end(String(process.pid))
})
server.listen(Number(process.env['PORT']), process.env['HOST'])

function stop(): void {
  process.stdout.write('goodbye\n')
  process.exit(0)
}
process.on('SIGTERM', stop)
process.on('disconnect', stop)
