/**
 * What the connections of this process to one server tell each other. One whose answer is overdue has met a
 * black hole (a host that vanished, a firewall that forgot: no goodbye comes), and so, most likely, has every
 * other that has heard nothing since. They are given up together: each waiting for its own time limit, one
 * after the other, would take minutes.
 */

export type Line = {
  /** `performance.now()` of the last answer. */
  heardAtMs: () => number
  /** Starts anew; whoever waits on it is told. */
  giveUp: () => void
}

const linesTo = new Map<string, Set<Line>>()

/** From now on `line` is told when the server at `url` is silent; the result ends that. */
export function joinLines(url: string, line: Line): () => void {
  const server = serverOf(url)
  const lines = linesTo.get(server) ?? new Set()
  linesTo.set(server, lines.add(line))
  return () => {
    lines.delete(line)
    if (lines.size === 0) linesTo.delete(server)
  }
}

/** What was sent to the server at `url` at `sinceMs` was never answered. */
export function reportSilence(url: string, sinceMs: number): void {
  for (const line of linesTo.get(serverOf(url)) ?? []) {
    if (line.heardAtMs() <= sinceMs) line.giveUp()
  }
}

/** Databases of one server share its fate. A list of hosts, which `URL` does not read, is one server. */
function serverOf(url: string): string {
  return /^\w+:\/\/(?:[^@/]*@)?([^/?]*)/.exec(url)?.[1] ?? url
}
