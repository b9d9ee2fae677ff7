/**
 * I6: whatever happens to events, replicas, connections and readers, in whatever order, no viewer's stream
 * has a gap or a step back, and all of them end up with the item as it is.
 */
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { Hub, type Leave } from './hub.ts'
import type { ItemEvent } from '@bidmesh/events/decode-event.ts'
import { RecordingViewer, seenOf } from '../streams/recording-viewer.ts'
import { type ChangeKind, createAuction, itemId } from './test-auction.ts'
import { createTurns } from './turns.ts'

const users = ['ann', 'bob', '']
const replicaCount = 2
const viewerCount = 4

type Action =
  | { do: 'change'; kind: ChangeKind; user: number }
  | { do: 'deliver' | 'lose' | 'repeat'; replica: number; events: number }
  | { do: 'connect'; viewer: number; replica: number; resume: boolean }
  | { do: 'disconnect' | 'freeze' | 'thaw'; viewer: number }
  | { do: 'reconcile' | 'turn'; replica: number }
  | { do: 'wait'; steps: number }

const anyReplica = fc.nat(replicaCount - 1)
const anyViewer = fc.nat(viewerCount - 1)
const anyKind = fc.constantFrom<ChangeKind>(
  ...(['bid', 'bid', 'bid', 'extending bid', 'update', 'extend', 'open'] as const),
)
const anyAction: fc.Arbitrary<Action> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({ do: fc.constant('change' as const), kind: anyKind, user: fc.nat(1) }),
  },
  {
    weight: 6,
    arbitrary: fc.record({
      do: fc.constant('deliver' as const),
      replica: anyReplica,
      events: fc.nat(3),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constantFrom('lose' as const, 'repeat' as const),
      replica: anyReplica,
      events: fc.nat(2),
    }),
  },
  {
    weight: 4,
    arbitrary: fc.record({
      do: fc.constant('connect' as const),
      viewer: anyViewer,
      replica: anyReplica,
      resume: fc.boolean(),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constantFrom('disconnect' as const, 'freeze' as const, 'thaw' as const),
      viewer: anyViewer,
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constantFrom('reconcile' as const, 'turn' as const),
      replica: anyReplica,
    }),
  },
  { weight: 6, arbitrary: fc.record({ do: fc.constant('wait' as const), steps: fc.nat(4) }) },
)

const ending = fc.constantFrom<ChangeKind>('end', 'end early', 'cancel', 'bid')

test('streams are monotone and converge on the final state', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.scheduler(),
      fc.array(anyAction, { minLength: 10, maxLength: 80 }),
      ending,
      async (scheduler, actions, last) => {
        const world = createWorld(scheduler)
        for (const each of actions) await world.run(each)
        await world.run({ do: 'change', kind: last, user: 0 })
        await world.settle()
        const final = seenOf(world.item())
        for (const each of world.connected()) expect(each.seen).toEqual(final)
      },
    ),
    { numRuns: 400 },
  )
}, 30_000)

type Stay = { leave: Leave | undefined; ended: boolean }

function createWorld(scheduler: fc.Scheduler) {
  const auction = createAuction()
  const log: ItemEvent[] = []
  const heard = Array.from({ length: replicaCount }, () => 0)
  const hubs = heard.map(() => createTestHub())
  const viewers = Array.from(
    { length: viewerCount },
    (_, index) => new RecordingViewer(users[index % users.length] ?? ''),
  )
  const stays = new Map<RecordingViewer, Stay>()
  const failures: unknown[] = []

  function createTestHub(): Hub {
    const nothing = () => undefined
    return new Hub({
      // Postgres answers at some moment between the question and the answer's arrival.
      readItems: async () => {
        await scheduler.schedule(Promise.resolve(), 'query sent')
        const copy = auction.item()
        await scheduler.schedule(Promise.resolve(), 'answer comes')
        return [copy]
      },
      findItems: async () => [],
      readVersions: async () => {
        const { version } = auction.item()
        await scheduler.schedule(Promise.resolve(), 'versions come')
        return [{ id: itemId, version }]
      },
      now: () => 0,
      viewersMax: 100,
      onOpened: nothing,
      onClosed: nothing,
      onJoined: nothing,
      onLeft: nothing,
      sleep: () => scheduler.schedule(Promise.resolve(), 'catch up'),
      turns: createTurns({
        unitsPerTurn: 1,
        nextTurn: (begin) => void scheduler.schedule(Promise.resolve(), 'next turn').then(begin),
      }),
    })
  }

  function disconnect(viewer: RecordingViewer): void {
    const stay = stays.get(viewer)
    if (stay) stay.ended = true
    stay?.leave?.()
    viewer.leave()
    stays.delete(viewer)
  }

  function connect(viewer: RecordingViewer, hub: Hub | undefined, resume: boolean): void {
    disconnect(viewer)
    const stay: Stay = { leave: undefined, ended: false }
    stays.set(viewer, stay)
    const after = resume ? viewer.seen?.sequence : undefined
    // A connection that is gone before it was let in reads nothing.
    const gone = new RecordingViewer('')
    gone.frozen = true
    const open: RecordingViewer['open'] = (source) => (stay.ended ? gone : viewer).open(source)
    void letIn(stay, hub?.watchItem(open, itemId, after))
  }

  async function letIn(stay: Stay, entering: Promise<Leave> | undefined): Promise<void> {
    try {
      stay.leave = await entering
      if (stay.ended) stay.leave?.()
    } catch (error) {
      failures.push(error)
    }
  }

  function deliver(replica: number, events: number): void {
    const from = heard[replica] ?? 0
    heard[replica] = Math.min(from + events, log.length)
    hubs[replica]?.receive(log.slice(from, heard[replica]))
  }

  async function wait(steps: number): Promise<void> {
    for (let step = 0; step < steps; step += 1) {
      if (scheduler.count() > 0) await scheduler.waitNext(1)
    }
  }

  async function run(action: Action): Promise<void> {
    switch (action.do) {
      case 'change':
        return void log.push(...auction.change(action.kind, users[action.user]))
      case 'deliver':
        return deliver(action.replica, action.events)
      case 'lose':
        heard[action.replica] = Math.min((heard[action.replica] ?? 0) + action.events, log.length)
        return
      case 'repeat':
        return hubs[action.replica]?.receive(
          log.slice(0, heard[action.replica]).slice(-action.events - 1),
        )
      case 'reconcile':
        return void hubs[action.replica]?.reconcile()
      case 'turn':
        return hubs[action.replica]?.turn(0)
      case 'wait':
        return await wait(action.steps)
      case 'connect':
      case 'disconnect':
      case 'freeze':
      case 'thaw':
        return handle(action)
    }
  }

  function handle(action: Extract<Action, { viewer: number }>): void {
    const viewer = viewers[action.viewer]
    if (!viewer) return
    if (action.do === 'connect') connect(viewer, hubs[action.replica], action.resume)
    else if (action.do === 'disconnect') disconnect(viewer)
    else if (action.do === 'freeze') viewer.frozen = true
    else viewer.thaw()
  }

  /** No further event arrives; two looks at Postgres must do. */
  async function settle(): Promise<void> {
    for (let times = 0; times < 2; times += 1) {
      for (const hub of hubs) void hub.reconcile()
      await scheduler.waitIdle()
    }
    for (const viewer of viewers) viewer.thaw()
    const [failure] = [...failures, ...viewers.flatMap(({ complaints }) => complaints)]
    if (failure !== undefined) throw failure
  }

  return { run, settle, item: auction.item, connected: () => [...stays.keys()] }
}
