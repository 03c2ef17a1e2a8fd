import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { slotNames } from '../../../shared/domain/rotation.ts'
import { type LoopbackSecrets, startSecrets } from '../../fixtures/loopback-secrets.ts'
import { revoked } from '../../fixtures/policies.ts'
import { type ARotation, aLife, aRotation, type Life, scramPolicy } from './a-rotation.ts'

// A worker may end between any two of its calls, or after one that it never heard of. Whatever it left, the next sweeps
// have to bring to the same end, and who holds a lease must not notice.

const hour = 3_600
/** Longer than any claim and the first waits after failures, and shorter than to the next rotation. */
const aWhile = 900

let aws: LoopbackSecrets
let world: ARotation

beforeEach(async () => {
  aws = await startSecrets()
})

afterEach(() => aws.close())

/** What is handed out works, and one slot at least does from the first time on. */
const expectSound = async (hasBeenActive: boolean): Promise<void> => {
  const { slots } = (await world.read()) ?? {}
  const active = slotNames.filter((name) => slots?.[name].state === 'active')
  for (const slot of active) expect(world.works(slot)).toBe(true)
  if (hasBeenActive) expect(active).toHaveLength(1)
}

type Story = {
  readonly before: () => Promise<void>
  readonly run: (life: Life) => Promise<void>
  readonly hasBeenActive: boolean
  readonly after: () => Promise<void>
}

const stories: Readonly<Record<string, Story>> = {
  'the first credential': {
    before: async () => {},
    run: (life) => world.aWorker(life)('main', ['billing']),
    hasBeenActive: false,
    after: async () => {
      expect((await world.read())?.slots.a.state === 'active' || (await world.read())?.slots.b.state === 'active').toBe(
        true,
      )
      await expectSound(true)
      expect(world.scram.users.size).toBe(1)
    },
  },
  'a rotation': {
    before: async () => {
      await world.aWorker()('main', ['billing'])
      world.pass(1.4 * hour)
    },
    run: (life) => world.sweepFor(0.65 * hour, world.aWorker(life)),
    hasBeenActive: true,
    after: async () => {
      await expectSound(true)
      expect((await world.read())?.slots.b.generation).toBe(1)
      expect([...world.scram.users.keys()]).toEqual(['sb.billing@b'])
      expect(world.kafka.acls()).toEqual(['sb.billing@b topic:prefixed:write:orders.'])
    },
  },
  'a revocation between two slots': {
    before: async () => {
      await world.aWorker()('main', ['billing'])
      await world.take(10 * hour)
      await world.sweepFor(2.2 * hour)
      await world.setPolicy(scramPolicy(), [revoked('billing')])
    },
    run: (life) => world.aWorker(life)('main', ['billing']),
    hasBeenActive: false,
    after: async () => {
      expect(world.leftovers()).toEqual([])
      expect(await world.states()).toEqual({ a: 'absent', b: 'absent' })
    },
  },
}

const aWorld = async (story: Story): Promise<void> => {
  world = aRotation(aws)
  for (const name of [...aws.secretNames()]) aws.destroyByHand(name)
  await world.setPolicy(scramPolicy())
  await story.before()
}

describe.each(Object.entries(stories))('%s', (_, story) => {
  it('comes to the same end after a crash at any call, before it or after it', async () => {
    await aWorld(story)
    const whole = aLife()
    await story.run(whole)
    expect(whole.calls).toBeGreaterThan(8)

    for (const when of ['before', 'after'] as const)
      for (let at = 1; at <= whole.calls; at++) {
        await aWorld(story)
        const life = aLife(at, when)
        await story.run(life).catch(() => {})
        expect(life.isOver).toBe(true)
        await expectSound(story.hasBeenActive)

        // the message comes again, as the queue's do, and sweeps go on
        await world.aWorker()('main', ['billing'])
        await expectSound(story.hasBeenActive)
        await world.sweepFor(aWhile)
        if (story.hasBeenActive) await world.sweepFor(0.65 * hour)

        await story.after()
      }
  })

  it('comes to the same end with three workers at once', async () => {
    await aWorld(story)

    await Promise.all([story.run(aLife()), story.run(aLife()), story.run(aLife())])
    await world.sweepFor(aWhile)

    await story.after()
  })
})
