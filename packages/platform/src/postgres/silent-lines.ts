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

type Database = { lines: Set<Line>; heartbeat: Heartbeat }

/** By URL. */
const databases = new Map<string, Database>()

/** From now on `line` is told when the server at `url` is silent; the result ends that. */
export function joinLines(url: string, line: Line): () => Promise<void> {
  const database = databases.get(url) ?? {
    lines: new Set(),
    heartbeat: startHeartbeat(url, (sinceMs) => reportSilence(url, sinceMs)),
  }
  databases.set(url, database)
  database.lines.add(line)
  return async () => {
    database.lines.delete(line)
    if (database.lines.size > 0 || databases.get(url) !== database) return
    databases.delete(url)
    await database.heartbeat.stop()
  }
}

/** What was sent to the server at `url` at `sinceMs` was never answered. */
export function reportSilence(url: string, sinceMs: number): void {
  const server = serverOf(url)
  for (const [each, { lines }] of databases) {
    if (serverOf(each) !== server) continue
    for (const line of lines) if (line.heardAtMs() <= sinceMs) line.giveUp()
  }
}

/** Databases of one server share its fate. A list of hosts, which `URL` does not read, is one server. */
function serverOf(url: string): string {
  return /^\w+:\/\/(?:[^@/]*@)?([^/?]*)/.exec(url)?.[1] ?? url
}
