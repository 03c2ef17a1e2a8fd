import { afterEach, expect, test } from 'vitest'
import {
  type SchemaRegistry,
  type SchemaRegistryOptions,
  startSchemaRegistry,
} from '../../local/schema-registry/registry.ts'
import type { Part } from '../../shared/inventory/cluster-source.ts'
import { createJsonApi } from '../../shared/inventory/json-api.ts'
import { observeRegistry, subjectPages } from '../../shared/inventory/schema-registry.ts'
import { callsIn, virtualTime } from './virtual-time.ts'

const key = { key: 'SRKEY', secret: 'registry-secret' }
const many = Array.from({ length: 2_500 }, (_, at) => `topic-${String(at).padStart(5, '0')}-value`)

let registry: SchemaRegistry | undefined
afterEach(() => registry?.stop())

const subjectsOf = async (options: SchemaRegistryOptions, changes: object = {}): Promise<readonly string[]> => {
  registry = await startSchemaRegistry(options)
  return readAll(registry.url, changes)
}
const readAll = async (url: string, changes: object = {}): Promise<readonly string[]> => {
  const time = virtualTime()
  const api = createJsonApi({ fetch, calls: callsIn(time), url, key, development: true, ...changes })
  const names: string[] = []
  for await (const page of subjectPages(api)) names.push(...page.map(({ name }) => name))
  return names
}

test.each([
  { subjects: [], hasPaging: true },
  { subjects: many, hasPaging: true },
  { subjects: many.slice(0, 1_000), hasPaging: true },
  { subjects: many, hasPaging: false },
  { subjects: many.slice(0, 1_000), hasPaging: false },
])('all subjects are found once ($hasPaging, $subjects.length)', async (options) => {
  expect(await subjectsOf({ ...options, key })).toEqual(options.subjects)
})

test('a name may have what an address may not', async () => {
  const names = [':.context:orders/created?x=1-value', 'a b', 'ä'].sort()
  expect(await subjectsOf({ subjects: names })).toEqual(names)
})

test('a subject that is registered is there', async () => {
  registry = await startSchemaRegistry({ subjects: ['a'] })
  const answer = await fetch(`${registry.url}/subjects/${encodeURIComponent('b/c')}/versions`, {
    method: 'POST',
    body: JSON.stringify({ schema: '"string"' }),
  })

  expect(await answer.json()).toEqual({ id: 2 })
  expect(await readAll(registry.url)).toEqual(['a', 'b/c'])
})

test('a key that is not taken is a refusal', async () => {
  await expect(subjectsOf({ key: { ...key, secret: 'other' } })).rejects.toMatchObject({ code: 'denied' })
})

test('429 is waited for', async () => {
  registry = await startSchemaRegistry({ key, subjects: ['a'] })
  registry.refuse(2, 429, 3)

  expect(await readAll(registry.url)).toEqual(['a'])
})

test('an answer that is larger than we take is not read to its end', async () => {
  await expect(subjectsOf({ key, subjects: many }, { mostBytes: 1_000 })).rejects.toMatchObject({ code: 'too_large' })
})

test('a registry that no control plane knows is one of its cluster, or is unknown with the reason', async () => {
  registry = await startSchemaRegistry({ key, subjects: many })
  const { url } = registry
  const observe = async (secret: string) => {
    const api = createJsonApi({ fetch, calls: callsIn(virtualTime()), url, key: { ...key, secret }, development: true })
    const parts: Part[] = []
    for await (const part of observeRegistry(url, async () => api)) parts.push(part)
    return parts
  }
  const pages = await observe(key.secret)
  expect(pages.flatMap((part) => (part.part === 'registries' ? part.found : []))).toMatchObject(
    pages.map(() => ({ id: new URL(url).host, url })),
  )
  expect(JSON.stringify(pages).match(/-value/g)).toHaveLength(many.length)
  expect(await observe('other')).toEqual([
    { part: 'unknown', of: 'registries', failure: { code: 'denied', detail: expect.stringContaining('401') } },
  ])
})
