import { describe, expect, it } from 'vitest'
import { createRotateSigningKeys } from '../../../functions/rotate/rotate-signing-keys.ts'
import { ConfluentError } from '../../../shared/clusters/confluent/management-api.ts'
import { checkedSigningKeyTimes } from '../../../shared/domain/signing-key.ts'
import { createSigningKeyStore } from '../../../shared/secrets/signing-key-store.ts'
import type { StoredCredential } from '../../../shared/store/credential-store.ts'
import type { Message } from '../../../shared/store/queue.ts'
import { recordTelemetry } from '../../fixtures/recorded-telemetry.ts'
import { simulateSecret } from '../../fixtures/simulated-secret.ts'

const day = 86_400_000

const aRotate = () => {
  let time = Date.UTC(2026, 10, 21)
  let denied = false
  let confluentAnswer = 200
  let read: readonly string[] | undefined
  let told = 0
  let stored: StoredCredential | undefined
  let reads = 0
  const sent: Message[] = []
  const secret = simulateSecret(async (effect) => {
    reads++
    if (denied) throw Object.assign(new Error('no'), { name: 'AccessDeniedException', $metadata: {} })
    return effect()
  })
  const telemetry = recordTelemetry()
  const keys = createSigningKeyStore(secret.client, 'keys')
  const rotate = createRotateSigningKeys({
    credentials: {
      read: async () => stored,
      write: async (expected, credential, dueAt) => {
        if ((stored?.version ?? 0) !== expected) return false
        stored = { credential, version: expected + 1, dueAt }
        return true
      },
    },
    keys,
    tellReaders: async () => {
      if (confluentAnswer !== 200) throw new ConfluentError('PATCH api.confluent.cloud: no', confluentAnswer)
      told++
      return read === undefined ? [] : [new Set(read)]
    },
    published: async () => new Set((await keys.readRing())?.keys.map(({ kid }) => kid)),
    queue: { send: async (message) => void sent.push(message) },
    times: checkedSigningKeyTimes({}),
    telemetry,
    clock: () => new Date(time),
    createId: () => 'worker',
  })
  return {
    ...{ rotate, keys, secret, telemetry, sent },
    stored: () => stored,
    reads: () => reads,
    told: () => told,
    /** What it says to the request to read our keys. */
    confluent: (status: number) => {
      confluentAnswer = status
    },
    /** The keys that it then has. */
    confluentReads: (kids: readonly string[] | undefined) => {
      read = kids
    },
    pass: (milliseconds: number) => {
      time += milliseconds
    },
    deny: (isDenied: boolean) => {
      denied = isDenied
    },
  }
}

describe('the rotation of the signing keys', () => {
  it('asks for the first key and its state as long as there is none on record', async () => {
    const { rotate, sent, telemetry } = aRotate()
    await rotate.remind()
    expect(sent).toEqual([{ kind: 'ensure-keys' }])
    expect(await rotate.ensure()).toBe(true)
    expect(telemetry.counted).toEqual(['SigningKeyCreated'])
    expect(await rotate.ensure()).toBe(false)
    await rotate.remind()
    expect(sent).toHaveLength(1)
  })

  it('looks at no secret while nothing is due', async () => {
    const { rotate, reads } = aRotate()
    await rotate.ensure()
    const before = reads()
    await rotate.run()
    expect(reads()).toBe(before)
  })

  it('takes 25 hours from a key to its signing and 25 more to the end of the other, in 90 days at the most', async () => {
    const { rotate, keys, pass } = aRotate()
    await rotate.ensure()
    const first = (await keys.readRing())?.active.kid
    const seen = { published: 0, signing: 0, gone: 0 }
    for (let hour = 0; seen.gone === 0 && hour < 100 * 24; hour++) {
      pass(day / 24)
      await rotate.run()
      const ring = await keys.readRing()
      if (seen.published === 0 && ring?.keys.length === 2) seen.published = hour
      if (seen.signing === 0 && ring?.active.kid !== first) seen.signing = hour
      if (seen.signing > 0 && ring?.keys.length === 1) seen.gone = hour
    }
    expect(seen.signing).toBeLessThanOrEqual(90 * 24)
    expect(seen.signing - seen.published).toBeGreaterThanOrEqual(25)
    expect(seen.gone - seen.signing).toBeGreaterThanOrEqual(25)
    expect(seen.gone - seen.signing).toBeLessThanOrEqual(28)
  })

  it.each([
    ['is down', 500, 'cluster_unavailable'],
    ['throttles', 429, 'cluster_unavailable'],
    ['cannot read our keys', 400, 'cluster_failed'],
    ['knows our key for it no more', 401, 'cluster_denied'],
  ] as const)('signs with no key that Confluent Cloud has not read, and says why: it %s', async (_, status, reason) => {
    const { rotate, keys, stored, pass, told, confluent } = aRotate()
    await rotate.ensure()
    const first = (await keys.readRing())?.active.kid
    confluent(status)
    for (let hour = 0; hour < 95 * 24; hour++) {
      pass(day / 24)
      await rotate.run()
    }
    expect((await keys.readRing())?.active.kid).toBe(first)
    expect(stored()?.credential.failures).toMatchObject({ step: 'probe', reason })
    confluent(200)
    for (let hour = 0; hour < 2; hour++) {
      pass(day / 24)
      await rotate.run()
    }
    expect((await keys.readRing())?.active.kid).not.toBe(first)
    expect(told()).toBe(1)
  })

  it('signs with no key that Confluent Cloud was shown too old a copy of', async () => {
    const { rotate, keys, stored, pass, confluentReads } = aRotate()
    await rotate.ensure()
    const first = (await keys.readRing())?.active.kid ?? ''
    confluentReads([first])
    for (let hour = 0; hour < 95 * 24; hour++) {
      pass(day / 24)
      await rotate.run()
    }
    expect((await keys.readRing())?.active.kid).toBe(first)
    expect(stored()?.credential.failures).toMatchObject({ step: 'probe', reason: 'cluster_unavailable' })
    confluentReads((await keys.readRing())?.keys.map(({ kid }) => kid))
    for (let hour = 0; hour < 2; hour++) {
      pass(day / 24)
      await rotate.run()
    }
    expect((await keys.readRing())?.active.kid).not.toBe(first)
  })

  it('replaced at once are told to Confluent Cloud until it has none of the old', async () => {
    const { rotate, keys, confluent, confluentReads } = aRotate()
    await rotate.ensure()
    const old = (await keys.readRing())?.keys.map(({ kid }) => kid) ?? []
    confluent(500)
    // the message comes back
    await expect(rotate.replace(old, true)).rejects.toThrow('PATCH api.confluent.cloud')
    const replaced = (await keys.readRing())?.keys.map(({ kid }) => kid) ?? []
    expect(replaced.some((kid) => old.includes(kid))).toBe(false)
    confluent(200)
    confluentReads(old)
    await expect(rotate.replace(old, true)).rejects.toThrow('still has one that was replaced')
    confluentReads(replaced)
    await rotate.replace(old, true)
    expect((await keys.readRing())?.keys.map(({ kid }) => kid)).toEqual(replaced)
  })

  it('says what failed in the state, where an operator looks, and goes on when it is repaired', async () => {
    const { rotate, stored, pass, deny, telemetry } = aRotate()
    await rotate.ensure()
    pass(2 * day)
    deny(true)
    await rotate.run()
    expect(stored()?.credential.failures).toMatchObject({ count: 1, step: 'probe', reason: 'secret_denied' })
    expect(telemetry.counted).toContain('CredentialStepFailed')
    pass(60_000)
    deny(false)
    await rotate.run()
    expect(stored()?.credential).toMatchObject({ failures: undefined, slots: { a: { health: 'works' } } })
  })

  it('leaves a secret alone that is not as rotate writes it, and tells that', async () => {
    const { rotate, stored, pass, secret } = aRotate()
    await rotate.ensure()
    pass(day)
    secret.set('hunter2')
    await rotate.run()
    expect(secret.value()).toBe('hunter2')
    expect(stored()?.credential.failures).toMatchObject({ reason: 'unexpected' })
  })

  it('begins ahead of its time when it is asked to, once', async () => {
    const { rotate, keys, stored, pass } = aRotate()
    await rotate.ensure()
    const kids = (await keys.readRing())?.keys.map(({ kid }) => kid) ?? []
    await rotate.replace(kids, false)
    expect((await keys.readRing())?.keys).toHaveLength(2)
    for (let hour = 0; hour < 60; hour++) {
      pass(day / 24)
      await rotate.run()
    }
    const after = await keys.readRing()
    expect(after?.keys.map(({ kid }) => kid)).not.toEqual(expect.arrayContaining(kids))
    const state = stored()?.credential
    await rotate.replace(kids, false)
    expect(stored()?.credential.slots).toEqual(state?.slots)
  })
})
