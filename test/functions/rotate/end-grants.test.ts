import { describe, expect, it } from 'vitest'
import { createEndGrants } from '../../../functions/rotate/end-grants.ts'
import type { Acl } from '../../../shared/domain/access.ts'
import type { Policy } from '../../../shared/domain/policy.ts'
import { createMemoryAccessStore } from '../../../shared/store/memory.ts'
import type { Message } from '../../../shared/store/queue.ts'
import { aCluster, aDirectory, now } from '../../fixtures/policies.ts'

const later = (seconds: number): Date => new Date(now.getTime() + seconds * 1000)
const acls: readonly Acl[] = [{ resource: 'topic', pattern: 'literal', name: 'orders.created', operation: 'write' }]
const until = later(60).toISOString()
const produce = ['kafka://acme/orders/**']

const run = async (grants: Policy['grants'], at: Date, reads: { count: number } = { count: 0 }) => {
  const access = createMemoryAccessStore()
  const policies = ['sha256:one']
  await access.recordApplied({ cluster: 'main', principal: 'billing', acls, policies }, now)
  await access.recordApplied({ cluster: 'main', principal: 'orders-api', acls, policies }, now)
  await access.request('main', 'orders-api', { team: 'payments' }, now)
  await access.recordApplied({ cluster: 'main', principal: 'nothing-left', acls: [], policies }, now)
  await access.recordApplied({ cluster: 'main', principal: 'looked-at-since', acls, policies }, later(61))
  await access.recordApplied({ cluster: 'unmanaged', principal: 'billing', acls, policies }, now)
  const messages: Message[] = []
  const { admin: _, ...unmanaged } = aCluster()
  const directory = aDirectory({ clusters: { main: aCluster(), unmanaged }, grants: [...grants] })
  await createEndGrants({
    inForce: async () => ({ directories: [directory], denied: [] }),
    access: {
      list: (cluster) => {
        reads.count++
        return access.list(cluster)
      },
    },
    queue: { send: async (message) => void messages.push(message) },
    clock: () => at,
  })()
  return messages
}

describe('a grant whose `until` has passed', () => {
  it('has the access looked at of those whom it names, and who still have some', async () => {
    const principals = ['billing', 'nothing-left', 'looked-at-since', 'never-seen']
    expect(await run([{ principals, produce, until }], later(61))).toEqual([
      { kind: 'access', cluster: 'main', principal: 'billing' },
    ])
  })

  it('has that of those looked at whose labels it names', async () => {
    expect(await run([{ principals: { labels: { team: 'payments' } }, produce, until }], later(61))).toEqual([
      { kind: 'access', cluster: 'main', principal: 'orders-api' },
    ])
  })

  it('is left alone before that, and nobody’s access is read', async () => {
    const reads = { count: 0 }
    expect(await run([{ principals: ['billing'], produce, until }], later(59), reads)).toEqual([])
    expect(reads.count).toBe(0)
  })
})
