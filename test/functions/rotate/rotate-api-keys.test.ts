import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { confluentSecretName, registryKeySecretName } from '../../../shared/domain/confluent-secret-name.ts'
import type { Policy } from '../../../shared/domain/policy.ts'
import { doubted, type SlotName, slotNames } from '../../../shared/domain/rotation.ts'
import { createConfluentSlotSecrets } from '../../../shared/secrets/confluent-slot-secrets.ts'
import { type LoopbackSecrets, startSecrets } from '../../fixtures/loopback-secrets.ts'
import { aCluster, revoked } from '../../fixtures/policies.ts'
import { keyRegistry, type SimulatedApiKeys, startApiKeys } from '../../fixtures/simulated-api-keys.ts'
import { type ARotation, aLife, aRotation, during, type Life, scramPolicy } from './a-rotation.ts'

// The machine of stored credentials over API keys of Confluent Cloud: a key's secret is told once, so that what a worker
// made and did not save is an orphan, which nobody may find a trace of in the end.

const hour = 3_600
/** Longer than any claim and the first waits after failures, and shorter than to the next rotation. */
const aWhile = 1_000

let aws: LoopbackSecrets
let cloud: SimulatedApiKeys
let world: ARotation
/** Of the cluster in the policy. */
let schemaRegistry: typeof keyRegistry | undefined

beforeEach(async () => {
  aws = await startSecrets()
  cloud = await startApiKeys()
  schemaRegistry = undefined
})

afterEach(async () => {
  await aws.close()
  await cloud.stop()
})

const policyOf = (changes: Partial<Policy['clusters'][string]> = {}): Policy =>
  scramPolicy(['billing'], {
    clusters: {
      main: aCluster({
        provider: 'confluent',
        id: 'lkc-1',
        environment: 'env-1',
        cloudKey: { secret: 'cloud' },
        auth: ['api-key'],
        serviceAccounts: cloud.accounts,
        rotation: { every: '2h', clock: { lookEvery: '1s' } },
        schemaRegistry,
        ...changes,
      }),
    },
  })

const aWorker = (life = aLife()) => {
  const { ofCluster, ofRegistry, hasRegistry } = cloud.keysOfSlots(schemaRegistry !== undefined)
  const endsDuring = ({ ownerOf, ...keys }: typeof ofCluster) => ({ ownerOf, ...during(life, keys) })
  const keys = { ofCluster: endsDuring(ofCluster), ofRegistry: endsDuring(ofRegistry), hasRegistry }
  return world.aWorker(life, {
    secretsOf: () => during(life, createConfluentSlotSecrets(aws.client, 'prod', 'the-key', keys)),
    openBackend: async () => during(life, cloud.backend('prod', keys)),
  })
}

const placeOf = (slot: SlotName) => ({ cluster: 'main', principal: 'billing', slot })
const savedOf = (slot: SlotName) => JSON.parse(aws.text(confluentSecretName('prod', placeOf(slot))) ?? '{}')
const ofRegistry = (slot: SlotName) => JSON.parse(aws.text(registryKeySecretName('prod', placeOf(slot))) ?? '{}')
/** A slot has one of the cluster, and one of its schema registry. */
const keysEach = (): number => (schemaRegistry === undefined ? 1 : 2)
const savedIds = (slot: SlotName) => [savedOf(slot).apiKey, ofRegistry(slot).apiKey].filter((id) => id !== undefined)
const keyIds = () => cloud.apiKeys.keys().map(({ id }) => id)
const account = () => cloud.accounts.billing ?? ''
const acl = () => `${account()} topic:prefixed:write:orders.`

const works = (slot: SlotName): boolean => {
  const { apiKey, apiSecret } = savedOf(slot)
  const registry = ofRegistry(slot)
  const isLetIn = keysEach() === 1 || cloud.registryLogin(registry.apiKey, registry.apiSecret) === 'works'
  return cloud.login(apiKey, apiSecret) === 'works' && isLetIn && world.kafka.acls().includes(acl())
}

/** What is handed out works, and one slot at least does from the first time on. */
const expectSound = async (hasBeenActive: boolean): Promise<void> => {
  const { slots } = (await world.read()) ?? {}
  const active = slotNames.filter((name) => slots?.[name].state === 'active')
  for (const slot of active) expect(works(slot)).toBe(true)
  if (hasBeenActive) expect(active).toHaveLength(1)
}

/** Every key is one that a slot has saved. */
const expectNoOrphan = (): void => {
  const saved = slotNames.flatMap(savedIds)
  expect(keyIds().filter((id) => !saved.includes(id))).toEqual([])
}

type Story = {
  readonly before: () => Promise<void>
  readonly run: (life: Life) => Promise<void>
  readonly hasBeenActive: boolean
  readonly after: () => Promise<void>
}

const stories: Readonly<Record<string, Story>> = {
  'the first API key': {
    before: async () => {},
    run: (life) => aWorker(life)('main', ['billing']),
    hasBeenActive: false,
    after: async () => {
      await expectSound(true)
      expect(keyIds()).toHaveLength(keysEach())
    },
  },
  'a rotation of API keys': {
    before: async () => {
      await aWorker()('main', ['billing'])
      world.pass(1.4 * hour)
    },
    run: (life) => world.sweepFor(0.65 * hour, aWorker(life)),
    hasBeenActive: true,
    after: async () => {
      await expectSound(true)
      expect((await world.read())?.slots.b.generation).toBe(1)
      expect(keyIds()).toEqual(savedIds('b'))
      expect(keyIds()).toHaveLength(keysEach())
      expect(world.kafka.acls()).toEqual([acl()])
    },
  },
  'a revocation between two API keys': {
    before: async () => {
      await aWorker()('main', ['billing'])
      await world.take(10 * hour)
      await world.sweepFor(2.2 * hour, aWorker())
      expect(keyIds()).toHaveLength(2 * keysEach())
      await world.setPolicy(policyOf(), [revoked('billing')])
    },
    run: (life) => aWorker(life)('main', ['billing']),
    hasBeenActive: false,
    after: async () => {
      expect([keyIds(), world.kafka.acls()]).toEqual([[], []])
      expect(await world.states()).toEqual({ a: 'absent', b: 'absent' })
    },
  },
}

const aWorld = async (story?: Story): Promise<void> => {
  world = aRotation(aws)
  for (const name of [...aws.secretNames()]) aws.destroyByHand(name)
  for (const id of keyIds()) cloud.apiKeys.removeKey(id)
  await world.setPolicy(policyOf())
  await story?.before()
}

const everyStory = Object.entries(stories).flatMap(([name, story]) => [
  { name, registry: undefined, story },
  { name: `${name}, each with one of the schema registry`, registry: keyRegistry, story },
])

describe.each(everyStory)('$name', ({ registry, story }) => {
  beforeEach(() => {
    schemaRegistry = registry
  })

  it('comes to the same end after a crash at any call, before it or after it', async () => {
    await aWorld(story)
    const whole = aLife()
    await story.run(whole)
    expect(whole.calls).toBeGreaterThan(10)

    for (const when of ['before', 'after'] as const)
      for (let at = 1; at <= whole.calls; at++) {
        await aWorld(story)
        const life = aLife(at, when)
        await story.run(life).catch(() => {})
        expect(life.isOver).toBe(true)
        await expectSound(story.hasBeenActive)

        // the message comes again, as the queue's do, and sweeps go on
        await aWorker()('main', ['billing'])
        await expectSound(story.hasBeenActive)
        await world.sweepFor(aWhile, aWorker())
        if (story.hasBeenActive) await world.sweepFor(0.65 * hour, aWorker())

        await story.after()
        expectNoOrphan()
      }
  })

  it('comes to the same end with three workers at once', async () => {
    await aWorld(story)

    await Promise.all([story.run(aLife()), story.run(aLife()), story.run(aLife())])
    await world.sweepFor(aWhile, aWorker())

    await story.after()
    expectNoOrphan()
  })
})

describe('an API key', () => {
  it('that somebody deletes is replaced at once, and the other slot has the next', async () => {
    await aWorld()
    await aWorker()('main', ['billing'])
    cloud.apiKeys.removeKey(savedOf('a').apiKey)

    // an active slot is proven once an hour
    await world.sweepFor(1.1 * hour, aWorker())

    expect(await world.states()).toMatchObject({ b: 'active' })
    expect(works('b')).toBe(true)
    expectNoOrphan()
  })

  it('is promised to nobody whose service account has no room, and comes when it has', async () => {
    await aWorld()
    cloud.apiKeys.setLimit(0)
    await aWorker()('main', ['billing'])

    expect((await world.read())?.failures).toMatchObject({ step: 'begin', reason: 'cluster_full' })
    expect([keyIds(), aws.secretNames()]).toEqual([[], []])

    cloud.apiKeys.setLimit(10)
    await world.sweepFor(aWhile, aWorker())
    await expectSound(true)
  })

  it.each([
    ['throttled', 'cluster_unavailable'],
    ['unauthenticated', 'cluster_denied'],
  ] as const)('waits while Confluent is %s, and nothing is left behind', async (kind, reason) => {
    await aWorld()
    cloud.plane.faults.inject({ kind })
    await aWorker()('main', ['billing'])
    expect((await world.read())?.failures).toMatchObject({ reason })
    cloud.plane.faults.clear()

    await world.sweepFor(aWhile, aWorker())

    await expectSound(true)
    expectNoOrphan()
  })

  it('is taken away with the rights of its service account when no grant gives them any more', async () => {
    await aWorld()
    await aWorker()('main', ['billing'])
    expect(world.kafka.acls()).toEqual([acl()])

    await world.setPolicy({ ...policyOf(), grants: [] })
    await aWorker()('main', ['billing'])

    expect([keyIds(), world.kafka.acls()]).toEqual([[], []])
  })
})

describe('an API key of the schema registry', () => {
  const settled = async (): Promise<void> => {
    await aWorld()
    await aWorker()('main', ['billing'])
    await expectSound(true)
  }

  it('that somebody deletes has its slot replaced, key of the cluster and all', async () => {
    schemaRegistry = keyRegistry
    await settled()
    cloud.apiKeys.removeKey(ofRegistry('a').apiKey)

    await world.sweepFor(1.1 * hour, aWorker())

    expect(await world.states()).toMatchObject({ b: 'active' })
    expect(works('b')).toBe(true)
    expectNoOrphan()
  })

  const askForIt = async (): Promise<void> => {
    const stored = await world.credentials.read('main', 'billing')
    const changed = stored && doubted(stored.credential, 'a')
    if (stored === undefined || changed === undefined) throw new Error('expected a slot that is handed out')
    await world.credentials.write(stored.version, changed, world.clock())
  }

  it.each([
    ['within the hour', 1.1 * hour, async () => {}],
    ['soon when somebody asks for it', aWhile, askForIt],
  ])('comes with the next slot where the policy names a registry from now on, %s', async (_, seconds, ask) => {
    await settled()
    schemaRegistry = keyRegistry
    await world.setPolicy(policyOf())
    await ask()

    await world.sweepFor(seconds, aWorker())

    expect(works('b')).toBe(true)
    expectNoOrphan()
  })
})
