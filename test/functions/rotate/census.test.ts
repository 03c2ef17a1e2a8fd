import { describe, expect, it } from 'vitest'
import { createCensus } from '../../../functions/rotate/census.ts'
import { compileDirectory } from '../../../shared/domain/directory.ts'
import { type Credential, newCredential, type Slot } from '../../../shared/domain/rotation.ts'
import { parseSigningKeyTimes, signingKeys } from '../../../shared/domain/signing-key.ts'
import { createMemoryCredentialStore } from '../../../shared/store/memory.ts'
import { aCluster, aPolicy, now } from '../../fixtures/policies.ts'
import { recordTelemetry } from '../../fixtures/recorded-telemetry.ts'

const day = 86_400
const ago = (seconds: number): Date => new Date(now.getTime() - seconds * 1000)

const holding = (cluster: string, principal: string, slot: Partial<Slot>): Credential => {
  const fresh = newCredential(principal, cluster)
  return { ...fresh, slots: { ...fresh.slots, a: { ...fresh.slots.a, ...slot } } }
}

const run = async (credentials: readonly Credential[]) => {
  const store = createMemoryCredentialStore()
  for (const credential of credentials) await store.write(0, credential, undefined)
  const telemetry = recordTelemetry()
  const policy = aPolicy({ clusters: { main: aCluster(), quick: aCluster({ rotation: { every: '1d' } }) } })
  const { directory } = compileDirectory(policy, 'sha256:test')
  await createCensus({
    inForce: async () => ({ directories: [directory], denied: [] }),
    credentials: store,
    times: parseSigningKeyTimes('{}'),
    telemetry,
    clock: () => now,
  })()
  return telemetry
}

describe('a census', () => {
  it('says how many slots are in each state, and 0 where there are none, so that alarms have data', async () => {
    const { gauges, lines } = await run([])
    expect(gauges).toEqual({
      'CredentialSlots state=absent': 0,
      'CredentialSlots state=created': 0,
      'CredentialSlots state=settling': 0,
      'CredentialSlots state=ready': 0,
      'CredentialSlots state=active': 0,
      'CredentialSlots state=draining': 0,
      'CredentialSlots state=fenced': 0,
      OldestCredentialAge: 0,
      CredentialsStuck: 0,
      CredentialsOverdue: 0,
    })
    expect(lines).toEqual([])
  })

  it('measures each cluster by the times that its policy gives it', async () => {
    const { gauges, lines } = await run([
      holding('main', 'billing', { state: 'active', since: ago(2 * day) }),
      holding('quick', 'billing', { state: 'active', since: ago(2 * day) }),
      holding('gone', 'billing', { state: 'fenced', since: ago(90 * day) }),
    ])
    expect(gauges).toMatchObject({
      'CredentialSlots state=active': 2,
      'CredentialSlots state=fenced': 1,
      OldestCredentialAge: 2 * day,
      CredentialsOverdue: 1,
    })
    expect(lines).toMatchObject([{ level: 'warn', fields: { stuck: 0, overdue: 1 } }])
  })

  it('measures the signing keys by their own times, and takes a hurried one for no older than it is', async () => {
    const { cluster, principal } = signingKeys
    const inTime = await run([holding(cluster, principal, { state: 'active', since: ago(89 * day) })])
    expect(inTime.gauges).toMatchObject({ CredentialsOverdue: 0, OldestCredentialAge: 89 * day })
    const late = await run([holding(cluster, principal, { state: 'active', since: ago(93 * day) })])
    expect(late.gauges).toMatchObject({ CredentialsOverdue: 1 })
    const hurried = await run([holding(cluster, principal, { state: 'active', since: new Date(0) })])
    expect(hurried.gauges).toMatchObject({ CredentialsOverdue: 0, OldestCredentialAge: 0 })
  })
})
