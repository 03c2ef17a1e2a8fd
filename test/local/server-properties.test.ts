import { expect, test } from 'vitest'
import { renderServerProperties } from '../../local/kafka/server-properties.ts'

const cluster = {
  name: 'payments',
  dataDirectory: '/run/data',
  keystoreFile: '/run/keystore.pem',
  truststoreFile: '/run/truststore.pem',
  ports: { inside: 1, outside: 2, internal: 3, controller: 4 },
  passwords: { broker: 'b', admin: 'a' },
  issuerUrl: 'http://127.0.0.1:9',
}
const lines = renderServerProperties(cluster).split('\n')

test('a cluster allows nothing that no ACL allows', () => {
  expect(lines).toContain('allow.everyone.if.no.acl.found=false')
  expect(lines).toContain('authorizer.class.name=org.apache.kafka.metadata.authorizer.StandardAuthorizer')
})

test('a cluster takes our tokens only when they were made for it', () => {
  expect(lines).toContain('sasl.oauthbearer.expected.issuer=http://127.0.0.1:9')
  expect(lines).toContain('sasl.oauthbearer.expected.audience=http://127.0.0.1:9/clusters/payments')
  expect(lines).toContain('sasl.oauthbearer.jwks.endpoint.url=http://127.0.0.1:9/.well-known/jwks.json')
})

test('clients and brokers have listeners of their own, and none is open without SASL', () => {
  expect(lines).toContain(
    'listener.security.protocol.map=INSIDE:SASL_PLAINTEXT,OUTSIDE:SASL_SSL,INTERNAL:SASL_PLAINTEXT,CONTROLLER:SASL_PLAINTEXT',
  )
  expect(lines.find((line) => line.startsWith('advertised.listeners='))).not.toContain('CONTROLLER')
})

test('the cluster behind MSK has one more listener, where IAM decides and no user of ours is known', () => {
  const mskIam = { port: 5, clusterArn: 'arn:aws:kafka:eu-west-1:0:cluster/a/b', sessionsFile: '/run/sessions.jsonl' }
  const iam = renderServerProperties({ ...cluster, mskIam }).split('\n')
  expect(iam).toContain('listener.name.iam.sasl.enabled.mechanisms=OAUTHBEARER')
  expect(iam).toContain(
    'listener.name.iam.oauthbearer.sasl.server.callback.handler.class=local.switchboard.msk.SimulatedMskLogin',
  )
  expect(iam).toContain('authorizer.class.name=local.switchboard.msk.SimulatedMskAuthorizer')
  expect(iam.find((line) => line.startsWith('listener.security.protocol.map='))).toContain('IAM:SASL_SSL')
  expect(lines.join('\n')).not.toMatch(/simulated/i)
})

test('a cluster reads our keys as often as Kafka does, unless a test scales time', () => {
  const refresh = 'sasl.oauthbearer.jwks.endpoint.refresh.ms'
  expect(lines.find((line) => line.startsWith(refresh))).toBeUndefined()
  expect(renderServerProperties({ ...cluster, jwksRefreshMs: 5_000 }).split('\n')).toContain(`${refresh}=5000`)
})
