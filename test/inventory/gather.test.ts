import { expect, test } from 'vitest'
import type { Part } from '../../shared/inventory/cluster-source.ts'
import { gather, within } from '../../shared/inventory/gather.ts'
import { aFoundCluster, aTopic } from '../fixtures/inventories.ts'

const cluster: Part = { part: 'cluster', cluster: aFoundCluster() }
const failure = { code: 'throttled', detail: 'asked too often' } as const

async function* streamOf(...parts: readonly Part[]): AsyncGenerator<Part> {
  yield* parts
}

test('pages of a part are one part, and what was not said is not there', async () => {
  const topics = ['a', 'b'].map((name): Part => ({ part: 'topics', found: [aTopic(name)] }))

  const seen = await gather(streamOf(...topics, { part: 'groups', found: [] }, cluster))

  expect(seen).toEqual({
    cluster: aFoundCluster(),
    parts: { topics: [aTopic('a'), aTopic('b')], groups: [] },
    unknown: {},
  })
})

test('a part of which one page is unknown is unknown, in whatever order', async () => {
  const page: Part = { part: 'topics', found: [aTopic('a')] }
  const unknown: Part = { part: 'unknown', of: 'topics', failure }

  for (const parts of [
    [page, unknown, page],
    [unknown, page],
  ])
    expect(await gather(streamOf(cluster, ...parts))).toMatchObject({ parts: {}, unknown: { topics: failure } })
})

test('a part that is more than a worker holds is unknown, subjects counted, and the others are there', async () => {
  const subjects = Array.from({ length: 6 }, (_, at) => ({ name: `s-${at}` }))
  const registries: Part = { part: 'registries', found: [{ id: 'lsrc-1', url: 'https://sr', subjects }] }

  const seen = await gather(streamOf(cluster, registries, { part: 'topics', found: [aTopic('a')] }), 5)

  expect(seen.unknown).toMatchObject({ registries: { code: 'too_large' } })
  expect(Object.keys(seen.parts)).toEqual(['topics'])
})

test('a look that says nothing of the cluster itself is none', async () => {
  await expect(gather(streamOf({ part: 'topics', found: [] }))).rejects.toMatchObject({ code: 'malformed' })
})

test('a stream that hangs ends in time, and one that ends early is told so', async () => {
  let isLeft = false
  async function* slow(): AsyncGenerator<Part> {
    try {
      yield cluster
      yield cluster
    } finally {
      isLeft = true
    }
  }
  async function* hanging(): AsyncGenerator<Part> {
    yield cluster
    await new Promise(() => {})
  }

  await expect(gather(within(hanging(), 20))).rejects.toMatchObject({ code: 'unavailable' })
  for await (const _ of within(slow(), 10_000)) break
  expect(isLeft).toBe(true)
})
