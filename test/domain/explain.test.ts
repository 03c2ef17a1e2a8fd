import { describe, expect, test } from 'vitest'
import { renderExplanation } from '../../cli/explain.ts'
import { type Explanation, explain } from '../../shared/domain/explain.ts'
import { explanationSchema } from '../../shared/domain/explanation.ts'
import type { Policy } from '../../shared/domain/policy.ts'
import { aCluster, aDirectory, anIntent, aPrincipal, now } from '../fixtures/policies.ts'

const arn = 'arn:aws:kafka:eu-west-1:111122223333:cluster/main/0d0c0b0a-1111-2222-3333-444455556666-7'
const channel = 'kafka://acme/orders/created'

const explained = (main: Partial<Policy['clusters'][string]>, client: Readonly<Record<string, unknown>> = {}) => {
  const directory = aDirectory(
    {
      clusters: { main: aCluster(main) },
      grants: [{ principals: ['orders-api'], produce: ['kafka://acme/orders/**'] }],
    },
    `sha256:${'0'.repeat(64)}`,
  )
  const context = { directory, denied: [], now, jitter: 0.5 }
  const explanation = explain(aPrincipal('orders-api'), anIntent({ produce: [channel], ...client }), context, 'caller')
  // what is documented is what is answered
  expect(explanationSchema.parse(JSON.parse(JSON.stringify(explanation)))).toEqual(explanation)
  return explanation
}

const reasonIn = ({ clusters }: Explanation) => clusters.map(({ because }) => because)
const chosenIn = ({ clusters }: Explanation) => clusters.map(({ credential, passedOver }) => [credential, passedOver])

describe('the credential that a cluster gets', () => {
  test('comes before every other that the cluster takes', () => {
    const both = explained({ auth: ['scram', 'jwt'] })
    expect(chosenIn(both)).toEqual([['jwt', [{ credential: 'scram', because: 'another comes first' }]]])
    expect(reasonIn(both)).toEqual(['tokens come before stored credentials'])
    expect(chosenIn(explained({ provider: 'msk', arn, auth: ['scram', 'msk-iam'] }))).toEqual([
      ['msk-iam', [{ credential: 'scram', because: 'another comes first' }]],
    ])
  })

  test('passes over what there is no listener for where this client is', () => {
    const listeners = [
      { name: 'inside', network: 'vpc', bootstrap: 'b-1:9098', auth: ['msk-iam' as const] },
      { name: 'outside', network: 'public', bootstrap: 'b-1-public:9196', auth: ['scram' as const] },
    ]
    const msk = { provider: 'msk' as const, arn, auth: ['msk-iam' as const, 'scram' as const], listeners }
    const fromOutside = explained({ ...msk, bootstrap: undefined }, { network: 'public' })
    expect(chosenIn(fromOutside)).toEqual([
      ['scram', [{ credential: 'msk-iam', because: 'this client cannot log in with it there' }]],
    ])
    expect(chosenIn(explained({ ...msk, bootstrap: undefined }, { network: 'vpc' }))).toEqual([
      ['msk-iam', [{ credential: 'scram', because: 'this client cannot log in with it there' }]],
    ])
    expect(reasonIn(fromOutside)).toEqual(['this client cannot log in with any other there'])
    expect(renderExplanation(fromOutside)).toEqual(
      expect.arrayContaining([
        '  main: listener outside (public), SASL_SSL, scram',
        '    by scram: this client cannot log in with any other there',
        '    not by msk-iam: this client cannot log in with it there',
      ]),
    )
  })

  test('is the only one where the cluster takes no other', () => {
    const only = explained({ auth: ['jwt'] })
    expect(chosenIn(only)).toEqual([['jwt', undefined]])
    expect(reasonIn(only)).toEqual(['the cluster takes no other'])
  })

  test('is none where no listener takes any, and each of them is named', () => {
    const listeners = [{ name: 'inside', network: 'vpc', bootstrap: 'b-1:9098' }]
    const nowhere = explained({ auth: ['scram', 'jwt'], bootstrap: undefined, listeners }, { network: 'elsewhere' })
    expect(nowhere).toMatchObject({ outcome: 'deny', rule: 5 })
    expect(chosenIn(nowhere)).toEqual([
      [
        undefined,
        [
          { credential: 'scram', because: 'this client cannot log in with it there' },
          { credential: 'jwt', because: 'this client cannot log in with it there' },
        ],
      ],
    ])
  })
})

describe('the schema registry of a cluster', () => {
  const registry = { url: 'https://registry.acme.com', secret: 'switchboard/prod/registries/main/{principal}' }
  const explainedAs = (reader: 'caller' | 'operator', schemas: boolean) => {
    const directory = aDirectory({
      clusters: { main: aCluster({ schemaRegistry: registry }) },
      grants: [
        { principals: ['orders-api'], produce: ['kafka://acme/**'] },
        { principals: ['orders-api'], produce: ['kafka://acme/orders/**'], schemas },
      ],
    })
    return explain(
      aPrincipal('orders-api'),
      anIntent({ produce: [channel] }),
      { directory, denied: [], now, jitter: 0.5 },
      reader,
    )
  }

  test('is said with the grant that gives it, and to operators with its secret', () => {
    const { url } = registry
    expect(explainedAs('caller', true).clusters[0]?.schemaRegistry).toEqual({ url, credential: 'basic', grant: 1 })
    const secret = 'switchboard/prod/registries/main/orders-api'
    expect(explainedAs('operator', true).clusters[0]?.schemaRegistry).toEqual({
      ...{ url, credential: 'basic', grant: 1, secret },
    })
    expect(renderExplanation(explainedAs('operator', true))).toContain(
      `    schema registry ${url} by grants[1], basic of the secret ${secret}`,
    )
  })

  test.each([
    [['jwt' as const], 'jwt'],
    [['jwt' as const, 'api-key' as const], 'jwt'],
    [['api-key' as const], 'api-key'],
  ])('of Confluent Cloud takes what its cluster takes, tokens before API keys: %j', (auth, kind) => {
    const { url } = registry
    const main = aCluster({ provider: 'confluent', id: 'lkc-1', auth, schemaRegistry: { url, id: 'lsrc-1' } })
    const directory = aDirectory({
      clusters: { main: { ...main, identityPools: { p: 'pool-1' }, serviceAccounts: { p: 'sa-1' } } },
      grants: [{ principals: ['p'], produce: ['kafka://acme/**'], schemas: true }],
    })
    const context = { directory, denied: [], now, jitter: 0.5 }
    const explained = explain(aPrincipal('p'), anIntent({ produce: [channel] }), context, 'operator')
    expect(explained.clusters[0]?.schemaRegistry).toEqual({ url, credential: kind, grant: 0 })
    expect(renderExplanation(explained)).toContain(`    schema registry ${url} by grants[0], ${kind}`)
  })

  test('that no grant gives is shown to operators alone', () => {
    expect(explainedAs('caller', false).clusters[0]).not.toHaveProperty('schemaRegistry')
    expect(renderExplanation(explainedAs('operator', false))).toContain(
      '    not its schema registry https://registry.acme.com: no grant of these channels says `schemas`',
    )
  })
})
