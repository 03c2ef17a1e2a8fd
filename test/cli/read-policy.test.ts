import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { CommandError } from '../../cli/command-error.ts'
import { readPolicy } from '../../cli/read-policy.ts'
import type { Snapshot } from '../../shared/domain/inventory.ts'
import { createMemoryInventoryStore } from '../../shared/store/memory.ts'
import { aFoundCluster, anEntry, aSnapshot } from '../fixtures/inventories.ts'
import { now } from '../fixtures/policies.ts'

const policy = (issuer: string, more = ''): string => `identities:
  - { issuer: "${issuer}", audience: switchboard }
clusters:
  main: { provider: kafka, bootstrap: "kafka-1:9093", auth: [jwt], admin: { secret: main } }
grants: []
routes:
  - { channel: "kafka://acme/**", cluster: main, topic: "{path}" }
${more}`

const read = async (text: string, ...found: readonly Snapshot[]) => {
  const inventory = createMemoryInventoryStore()
  for (const snapshot of found) await inventory.write(undefined, anEntry(snapshot), snapshot)
  const folder = mkdtempSync(join(tmpdir(), 'policy-'))
  const file = join(folder, 'policy.yaml')
  writeFileSync(file, text)
  const told: string[] = []
  let opened = 0
  const outcome = await readPolicy(
    file,
    async () => {
      opened += 1
      return { issuerUrl: 'https://switchboard.acme.com', inventory }
    },
    { now, complain: (line) => void told.push(line.replace(file, 'policy.yaml')) },
  ).catch((error: unknown) => error)
  rmSync(folder, { recursive: true })
  return { outcome, told, opened }
}

test('a policy without faults is read, and nothing is told', async () => {
  const { outcome, told } = await read(policy('https://login.acme.com'))
  expect(outcome).toMatchObject({ policy: { grants: [] }, stack: { issuerUrl: 'https://switchboard.acme.com' } })
  expect(told).toEqual([])
})

test('a faulty policy is refused before the stack is opened', async () => {
  const { outcome, told, opened } = await read('identities: []')
  expect(outcome).toBeInstanceOf(CommandError)
  expect(told.length).toBeGreaterThan(0)
  expect(opened).toBe(0)
})

test('the issuer of the stack itself is refused where it stands in the file', async () => {
  const { outcome, told } = await read(policy('https://switchboard.acme.com'))
  expect(outcome).toMatchObject({ message: expect.stringMatching(/ has a problem; nothing was changed$/) })
  expect(told).toEqual([expect.stringMatching(/^policy\.yaml:2:15 identities\[0\]\.issuer: /)])
})

test('a warning is told with its place and refuses nothing', async () => {
  const { outcome, told } = await read(
    policy('https://login.acme.com', '  - { channel: "kafka://acme/orders", cluster: main, topic: "{path}" }\n'),
  )
  expect(outcome).toHaveProperty('policy')
  expect(told).toEqual([
    expect.stringMatching(/^policy\.yaml:8:16 warning: routes\[1\]\.channel: never decides: `routes\[0\]`/),
  ])
})

test('what a selector means is told where it stands, and the policy names the cluster', async () => {
  const { outcome, told } = await read(
    policy('https://login.acme.com')
      .replace('auth: [jwt]', 'auth: [jwt], labels: { tier: gold }')
      .replace('cluster: main', 'cluster: { labels: { tier: gold } }'),
  )
  expect(outcome).toMatchObject({ policy: { routes: [{ cluster: 'main' }] } })
  expect(told).toEqual(['policy.yaml:7:44 pinned: routes[0].cluster: the cluster is `main`'])
})

test('a selector whose labels are the tags of another cluster is a warning where it stands, and stays what it was pinned to', async () => {
  const id = 'lkc-abc123'
  const two = `  two: { provider: confluent, id: ${id}, auth: [jwt], identityProvider: { id: op-1 } }\n`
  const { outcome, told } = await read(
    policy('https://login.acme.com')
      .replace('auth: [jwt]', 'auth: [jwt], labels: { tier: gold }')
      .replace('grants:', `${two}grants:`)
      .replace('cluster: main', 'cluster: { labels: { tier: gold } }'),
    aSnapshot({ source: 'acme', id, cluster: aFoundCluster({ provider: 'confluent', tags: { tier: 'gold' } }) }),
  )
  expect(outcome).toMatchObject({ policy: { routes: [{ cluster: 'main', selector: { labels: { tier: 'gold' } } }] } })
  expect(told).toEqual([
    'policy.yaml:8:44 pinned: routes[0].cluster: the cluster is `main`',
    'policy.yaml:8:44 warning: routes[0].cluster: `tier=gold` matches `two` by its tags; the route stays on `main`',
  ])
})

test('a selector that is no cluster is refused where it stands', async () => {
  const { told, opened } = await read(
    policy('https://login.acme.com').replace('cluster: main', 'cluster: { labels: { tier: gold } }'),
  )
  expect(told).toEqual([expect.stringMatching(/^policy\.yaml:7:44 routes\[0\]\.cluster: `tier=gold` is no cluster/)])
  expect(opened).toBe(0)
})

test('a file that is not there is named', async () => {
  await expect(
    readPolicy('no-such.yaml', () => expect.unreachable(), { now, complain: () => undefined }),
  ).rejects.toThrow('cannot read `no-such.yaml`; name a policy file')
})
