import { afterAll, beforeAll, expect, it } from 'vitest'
import { decide } from '../../shared/domain/decide.ts'
import { renderLibrdkafka } from '../../shared/http/client-file.ts'
import { renderConnection } from '../../shared/http/connection.ts'
import { aDirectory, anIntent, aPrincipal, now } from '../fixtures/policies.ts'
import { type Client, startLibrdkafkaClient } from './ask.ts'

// The package that gets tokens of AWS for confluent-kafka is not installed here: what it would be told is what is seen.

let librdkafka: Client

beforeAll(async () => {
  librdkafka = await startLibrdkafkaClient()
})

afterAll(() => librdkafka?.stop())

it('librdkafka takes each setting of a client that gets its tokens from AWS', async () => {
  const directory = aDirectory({
    clusters: {
      main: {
        provider: 'confluent',
        id: 'lkc-abc123',
        auth: ['workload'],
        workload: { audience: 'https://confluent.cloud/oidc', region: 'eu-west-1' },
        bootstrap: '127.0.0.1:1',
        admin: { secret: 'admin' },
        identityPools: { 'orders-api': 'pool-3c4d' },
      },
    },
    grants: [{ principals: ['orders-api'], produce: ['kafka://acme/**'] }],
  })
  const principal = aPrincipal('orders-api')
  const intent = anIntent({ produce: ['kafka://acme/orders/created'], client: { family: 'librdkafka' } })
  const decision = decide(principal, intent, { directory, denied: [], now, jitter: 0 })
  if (decision.outcome === 'deny' || decision.connections[0] === undefined) throw new Error('expected a connection')
  const settings = renderLibrdkafka(renderConnection(decision.connections[0], principal, intent), undefined)
  expect(await librdkafka.ask({ ask: 'read_back', settings })).toMatchObject({
    'sasl.mechanism': 'OAUTHBEARER',
    'sasl.oauthbearer.method': 'oidc',
    'sasl.oauthbearer.metadata.authentication.type': 'aws_iam',
    'sasl.oauthbearer.config': 'region=eu-west-1,audience=https://confluent.cloud/oidc',
    'sasl.oauthbearer.extensions': 'logicalCluster=lkc-abc123,identityPoolId=pool-3c4d',
  })
})
