import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { type ClusterFacts, factsOf, noFacts, reviewFacts, withClusterFacts } from '../../shared/domain/facts.ts'
import type { FoundListener } from '../../shared/domain/inventory.ts'

const aListener = (changed: Partial<FoundListener> = {}): FoundListener => ({
  field: 'BootstrapBrokerStringSaslScram',
  network: undefined,
  bootstrap: 'b-1.main:9096',
  security: 'SASL_SSL',
  mechanisms: ['SCRAM-SHA-512'],
  ...changed,
})

const facts = (...names: readonly string[]): ClusterFacts =>
  factsOf({ listeners: names.map((field) => aListener({ field })) })

describe('the facts of a cluster', () => {
  test('are the listeners that take one of our credentials, under the provider’s own names', () => {
    const found = factsOf({
      listeners: [
        aListener(),
        aListener({ field: 'BootstrapBrokerString', security: 'PLAINTEXT', mechanisms: [] }),
        aListener({ field: 'BootstrapBrokerStringTls', security: 'SSL', mechanisms: [] }),
        aListener({ field: 'BootstrapBrokerStringSaslIam', mechanisms: ['AWS_MSK_IAM'] }),
        aListener({ field: 'BootstrapBrokerStringPublicSaslScram', network: 'public' }),
      ],
    })

    expect(found.listeners).toEqual([
      expect.objectContaining({ name: 'BootstrapBrokerStringPublicSaslScram', network: 'public', auth: ['scram'] }),
      expect.objectContaining({ name: 'BootstrapBrokerStringSaslIam', network: undefined, auth: ['msk-iam'] }),
      expect.objectContaining({ name: 'BootstrapBrokerStringSaslScram', network: undefined, auth: ['scram'] }),
    ])
  })

  test('are the same in whatever order they were found', () => {
    const listeners = ['c', 'a', 'b'].map((field) => aListener({ field }))

    fc.assert(
      fc.property(fc.shuffledSubarray(listeners, { minLength: 3 }), (shuffled) => {
        expect(factsOf({ listeners: shuffled })).toEqual(factsOf({ listeners }))
      }),
    )
  })
})

describe('a review of facts', () => {
  test('lets a cluster that was never seen be published', () => {
    expect(reviewFacts(undefined, facts('a'))).toEqual({ outcome: 'publish' })
  })

  test('finds nothing to do where nothing changed', () => {
    expect(reviewFacts(facts('a', 'b'), facts('b', 'a'))).toEqual({ outcome: 'unchanged' })
  })

  test('lets an address change, be it of every listener', () => {
    const moved = factsOf({ listeners: [aListener({ bootstrap: 'b-9.elsewhere:9096' })] })

    expect(reviewFacts(factsOf({ listeners: [aListener()] }), moved)).toEqual({ outcome: 'publish' })
  })

  test('stops what takes more than the share away, and names it', () => {
    expect(reviewFacts(facts('a', 'b', 'c'), facts('c'))).toEqual({ outcome: 'drop', listeners: ['a', 'b'] })
    expect(reviewFacts(facts('a', 'b'), facts('b'))).toEqual({ outcome: 'publish' })
    expect(reviewFacts(facts('a'), facts())).toEqual({ outcome: 'drop', listeners: ['a'] })
    expect(reviewFacts(facts('a'), facts('b'))).toEqual({ outcome: 'drop', listeners: ['a'] })
  })

  test('never publishes that all listeners are gone', () => {
    const names = fc.uniqueArray(fc.string({ minLength: 1 }), { minLength: 1 })
    fc.assert(
      fc.property(names, (before) => {
        expect(reviewFacts(facts(...before), facts()).outcome).toBe('drop')
      }),
    )
  })
})

test('facts of clusters that no policy leaves to the crawl are not kept', () => {
  const both = withClusterFacts(
    withClusterFacts(noFacts, 'one', facts('a'), new Set(['one'])),
    'two',
    facts('b'),
    new Set(['one', 'two']),
  )

  expect(Object.keys(both.clusters)).toEqual(['one', 'two'])
  expect(Object.keys(withClusterFacts(both, 'two', facts('c'), new Set(['two'])).clusters)).toEqual(['two'])
})
