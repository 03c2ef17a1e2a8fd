import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { selectAccessPath } from '../../shared/domain/access-path.ts'
import type { Cluster, KafkaCluster, Listener } from '../../shared/domain/cluster.ts'
import { aDirectory } from '../fixtures/policies.ts'

const listener = (name: string, changes: Partial<Listener> = {}): Listener => ({
  name,
  network: undefined,
  bootstrap: `${name}:9092`,
  security: 'SASL_SSL',
  ...changes,
})

const clusterWith = (listeners: readonly Listener[], changes: Partial<KafkaCluster> = {}): Cluster => {
  const cluster = aDirectory().clusters.get('main')
  if (cluster === undefined) throw new Error('the fixture has no cluster')
  return { ...cluster, provider: 'kafka', listeners, ...changes }
}

const anyone = { network: undefined, family: undefined }
const selected = (listeners: readonly Listener[], network?: string) =>
  selectAccessPath(clusterWith(listeners), { ...anyone, network })?.listener.name

describe('rule 5', () => {
  it('5.1 takes only listeners of the asked network', () => {
    const listeners = [listener('a', { network: 'vpc-a' }), listener('b', { network: 'vpc-b' }), listener('c')]
    expect(selected(listeners, 'vpc-b')).toBe('b')
    expect(selected(listeners, 'vpc-z')).toBeUndefined()
  })

  it('5.1 without an asked network, takes listeners of none or of `public` before all others', () => {
    const inside = listener('a', { network: 'vpc-a' })
    expect(selected([inside, listener('z', { network: 'public' })])).toBe('z')
    expect(selected([inside, listener('z')])).toBe('z')
    expect(selected([inside])).toBe('a')
  })

  it('5.2 has no path where cluster and client share no mechanism', () => {
    expect(selectAccessPath(clusterWith([listener('a')], { auth: [] }), anyone)).toBeUndefined()
  })

  it.each(['java', 'librdkafka', 'javascript', undefined] as const)('5.2 gives tokens to %s clients', (family) => {
    expect(selectAccessPath(clusterWith([listener('a')]), { ...anyone, family })?.kind).toBe('jwt')
  })

  it.each(['java', 'librdkafka', 'javascript', undefined] as const)(
    '5.2 gives %s clients a stored credential where there are no tokens, and nowhere else',
    (family) => {
      const kindWith = (auth: Cluster['auth']) =>
        selectAccessPath(clusterWith([listener('a')], { auth }), { ...anyone, family })?.kind
      expect([kindWith(['scram']), kindWith(['scram', 'jwt'])]).toEqual(['scram', 'jwt'])
    },
  )

  it('5.2 gives tokens of AWS before a stored credential, where the answer has a place for them', () => {
    const inside = { ...anyone, network: undefined }
    const cluster = clusterWith([listener('iam', { auth: ['msk-iam'] }), listener('scram', { auth: ['scram'] })], {
      auth: ['scram', 'msk-iam'],
    })
    const chosen = (caller: Parameters<typeof selectAccessPath>[1]) => {
      const path = selectAccessPath(cluster, caller)
      return [path?.kind, path?.listener.name]
    }
    expect(chosen(inside)).toEqual(['msk-iam', 'iam'])
    for (const family of ['java', 'librdkafka', 'javascript'] as const)
      expect(chosen({ ...inside, family })).toEqual(['msk-iam', 'iam'])
    expect(chosen({ ...inside, kinds: ['jwt', 'scram'] })).toEqual(['scram', 'scram'])
    expect(chosen({ ...inside, kinds: ['jwt'] })).toEqual([undefined, undefined])
  })

  it('5.3 takes encrypted before plain, whatever their names', () => {
    expect(selected([listener('a', { security: 'SASL_PLAINTEXT' }), listener('b')])).toBe('b')
  })

  it('5.4 then takes the first by name', () => {
    expect(selected([listener('b'), listener('c'), listener('a')])).toBe('a')
  })

  it('does not depend on the order in which listeners are written', () => {
    const anyListener = fc.record({
      name: fc.constantFrom('a', 'b', 'c', 'd'),
      network: fc.constantFrom(undefined, 'public', 'vpc-a'),
      bootstrap: fc.constant('x:1'),
      security: fc.constantFrom('SASL_SSL' as const, 'SASL_PLAINTEXT' as const),
    })
    const listeners = fc.uniqueArray(anyListener, { minLength: 1, selector: ({ name }) => name })
    const shuffled = listeners.chain((list) =>
      fc.tuple(fc.constant(list), fc.shuffledSubarray(list, { minLength: list.length, maxLength: list.length })),
    )
    fc.assert(
      fc.property(shuffled, fc.constantFrom(undefined, 'vpc-a', 'vpc-b'), ([written, other], network) => {
        expect(selected(other, network)).toBe(selected(written, network))
      }),
    )
  })
})
