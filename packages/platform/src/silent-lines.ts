/**
 * What the connections of this process to one server tell each other. One whose answer is overdue has met a
 * black hole (a host that vanished, a firewall that forgot: no goodbye comes), and so, most likely, has every
 * other that has heard nothing since. They are given up together: each waiting for its own time limit, one
 * after the other, would take minutes. A heartbeat is the one that notices first.
 */
import { type Heartbeat, startHeartbeat } from './heartbeat.ts'

export type Line = {
  /** `performance.now()` of the last answer. */
  heardAtMs: () => number
  /** Starts anew; whoever waits on it is told. */
  giveUp: () => void
}

type Server = { lines: Set<Line>; heartbeat: Heartbeat }

const servers = new Map<string, Server>()

/** From now on `line` is told when the server at `url` is silent; the result ends that. */
export function joinLines(url: string, line: Line): () => Promise<void> {
  const name = serverOf(url)
  const server = servers.get(name) ?? {
    lines: new Set(),
    heartbeat: startHeartbeat(url, (sinceMs) => reportSilence(url, sinceMs)),
  }
  servers.set(name, server)
  server.lines.add(line)
  return async () => {
    server.lines.delete(line)
    if (server.lines.size > 0 || servers.get(name) !== server) return
    servers.delete(name)
    await server.heartbeat.stop()
  }
}

/** What was sent to the server at `url` at `sinceMs` was never answered. */
export function reportSilence(url: string, sinceMs: number): void {
  for (const line of servers.get(serverOf(url))?.lines ?? []) {
    if (line.heardAtMs() <= sinceMs) line.giveUp()
  }
}

/** Databases of one server share its fate. A list of hosts, which `URL` does not read, is one server. */
function serverOf(url: string): string {
  return /^\w+:\/\/(?:[^@/]*@)?([^/?]*)/.exec(url)?.[1] ?? url
}
