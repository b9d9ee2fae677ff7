/**
 * Work for viewers, a portion per turn of the event loop. Whatever else the process does, deciding bids first
 * of all, gets its turn between two portions: without them a bid waited while ten thousand sockets were
 * written to. All such work shares one portion, first come, first served, and what fits is done at once.
 */

/** Units of work in one turn. A write to one socket is one, 10 µs: about 2 ms. */
const UNITS_PER_TURN = 200

export type Turns = {
  /** Calls `act` for each of `all` as they are now, in order, then `done`. `act` must not throw. */
  forEach: <T>(
    all: Iterable<T>,
    unitsOf: (one: T) => number,
    act: (one: T) => void,
    done?: () => void,
  ) => void
  /** Resolves when there is room for so much. */
  room: (units: number) => Promise<void>
}

export type TurnsOptions = {
  unitsPerTurn?: number
  /** Tests pass their own. */
  nextTurn?: (run: () => void) => void
}

export function createTurns(options: TurnsOptions = {}): Turns {
  const { unitsPerTurn = UNITS_PER_TURN, nextTurn = (run) => void setImmediate(run) } = options
  /** Each does what fits, and says whether it is done. */
  const jobs: (() => boolean)[] = []
  let left = unitsPerTurn
  let isAwaited = false

  function spend(units: number): void {
    left -= units
    if (isAwaited) return
    isAwaited = true
    nextTurn(begin)
  }

  function begin(): void {
    isAwaited = false
    left = unitsPerTurn
    for (let job = jobs[0]; job && left > 0; job = jobs[0]) {
      if (job()) jobs.shift()
    }
  }

  function add(job: () => boolean): void {
    const isFirst = jobs.length === 0
    if (!isFirst || left <= 0 || !job()) jobs.push(job)
  }

  return {
    forEach(all, unitsOf, act, done) {
      const rest = [...all].values()
      let next = rest.next()
      add(() => {
        for (; !next.done && left > 0; next = rest.next()) {
          spend(unitsOf(next.value))
          act(next.value)
        }
        if (next.done) done?.()
        return next.done === true
      })
    },
    room: (units) =>
      new Promise((resolve) => {
        add(() => {
          spend(units)
          resolve()
          return true
        })
      }),
  }
}
