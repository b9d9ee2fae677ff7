/**
 * What the port answers beside procedures, for operators and for people with a browser: `/healthz`,
 * `/readyz`, `/metrics`, an index, and typed JSON for everything that does not exist.
 */
import type { HttpHandler, HttpRequest, HttpResponse } from './http-handler.ts'
import { messageOf } from '../process/errors.ts'
import type { Component } from '../process/component.ts'
import type { ReadinessProbe } from '../process/readiness.ts'

export type HttpPagesOptions = {
  components: readonly Component[]
  readiness: ReadinessProbe
  metricsText: () => Promise<string>
}

type Page = { status: number; type: string; body: string }

/** A path of the form of a procedure: `/package.Service/Method`. */
const procedurePath = /^\/[\w.]+\/\w+$/

/** The handler for requests that are no known procedure. */
export function createHttpPages(options: HttpPagesOptions): HttpHandler {
  const index = indexText(options.components)
  const pages = new Map<string, () => Promise<Page>>([
    ['/', async () => ({ status: 200, type: 'text/plain; charset=utf-8', body: index })],
    ['/healthz', async () => json(200, { status: 'ok' })],
    ['/readyz', () => readyPage(options.readiness)],
    ['/metrics', () => metricsPage(options.metricsText)],
  ])
  return (request, response) => {
    const path = (request.url ?? '').split('?', 1)[0] ?? ''
    const page = pages.get(path)
    if (!page) {
      const isTaken = options.components.some((component) =>
        component.handleUnknown?.(request, response),
      )
      return isTaken ? undefined : answerUnknown(path, request, response)
    }
    if (request.method !== 'GET' && request.method !== 'HEAD') {
      response.setHeader('allow', 'GET, HEAD')
      const message = `${path} is a page: use GET`
      return send(request, response, json(405, { code: 'unimplemented', message }))
    }
    void page()
      .catch((error: unknown) => json(500, { code: 'internal', message: messageOf(error) }))
      .then((content) => send(request, response, content))
  }
}

function json(status: number, value: object): Page {
  return { status, type: 'application/json', body: `${JSON.stringify(value)}\n` }
}

async function readyPage(readiness: ReadinessProbe): Promise<Page> {
  const { ready, ...rest } = await readiness.check()
  return json(ready ? 200 : 503, { status: ready ? 'ok' : 'unavailable', ...rest })
}

async function metricsPage(metricsText: () => Promise<string>): Promise<Page> {
  const type = 'text/plain; version=0.0.4; charset=utf-8'
  return { status: 200, type, body: await metricsText() }
}

function answerUnknown(path: string, request: HttpRequest, response: HttpResponse): void {
  const message = procedurePath.test(path)
    ? `there is no procedure ${path.slice(1)} here; GET / lists them`
    : `there is nothing at ${path}; GET / lists what there is`
  const [, grpcType] =
    /^(application\/grpc(?:-web)?)/.exec(request.headers['content-type'] ?? '') ?? []
  if (grpcType) {
    // gRPC reads the status from headers, not from HTTP's code; 12 is UNIMPLEMENTED.
    const headers = { 'content-type': grpcType, 'grpc-status': '12' }
    response.writeHead(200, { ...headers, 'grpc-message': encodeURIComponent(message) })
    response.end()
    return
  }
  const code = procedurePath.test(path) ? 'unimplemented' : 'not_found'
  send(request, response, json(404, { code, message }))
}

/** Typed JSON, as a line. */
export function sendJson(
  request: HttpRequest,
  response: HttpResponse,
  status: number,
  value: { code: string; message: string },
): void {
  send(request, response, json(status, value))
}

function send(request: HttpRequest, response: HttpResponse, page: Page): void {
  response.writeHead(page.status, {
    'content-type': page.type,
    'content-length': Buffer.byteLength(page.body),
    'cache-control': 'no-store',
  })
  response.end(request.method === 'HEAD' ? '' : page.body)
}

function indexText(components: readonly Component[]): string {
  const services = components.flatMap((component) => component.services)
  const procedures = services.flatMap((service) =>
    service.methods.map((method) => `  POST /${service.typeName}/${method.name}`),
  )
  return [
    'Bidmesh',
    '',
    'Procedures (JSON, Connect, gRPC-Web and gRPC; `buf curl` and grpcurl need no schema):',
    ...procedures,
    '',
    'Pages:',
    ...components.flatMap((component) => component.pages ?? []).map((page) => `  ${page}`),
    '  GET /healthz  the process is alive',
    '  GET /readyz   what it depends on answers',
    '  GET /metrics  Prometheus',
    '',
  ].join('\n')
}
