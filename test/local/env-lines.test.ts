import { expect, test } from 'vitest'
import { renderEnvLines } from '../../local/env-lines.ts'
import { aStack } from './a-stack.ts'

test('the lines name everything that a tester needs', () => {
  expect(renderEnvLines(aStack())).toEqual(
    expect.arrayContaining([
      'SWITCHBOARD_URL=http://127.0.0.1:20001',
      'ISSUER_URL=http://127.0.0.1:20002',
      'AWS_ENDPOINT_URL=https://127.0.0.1:20000',
      'AWS_REGION=eu-west-1',
      'AWS_ENDPOINT_URL_KAFKA=http://127.0.0.1:20007',
      'MSK_ENDPOINT=http://127.0.0.1:20007',
      'MSK_CLUSTER_ARN=arn:aws:kafka:eu-west-1:000000000000:cluster/analytics/00000000-0000-0000-0000-000000000000-1',
      'NODE_EXTRA_CA_CERTS=/project/.local/run/ca.pem',
      'CONFLUENT_ENDPOINT=http://127.0.0.1:20008',
      'CONFLUENT_CLUSTER_ID=lkc-local',
      'SCHEMA_REGISTRY_URL=http://127.0.0.1:20009',
      'KAFKA_PAYMENTS_BOOTSTRAP=127.0.0.1:20003',
      'KAFKA_PAYMENTS_BOOTSTRAP_OUTSIDE=127.0.0.1:20004',
      'KAFKA_ANALYTICS_BOOTSTRAP=127.0.0.1:20005',
      'KAFKA_ANALYTICS_BOOTSTRAP_IAM=127.0.0.1:20012',
      'KAFKA_CA_FILE=/project/.local/run/ca.pem',
      'KAFKA_ADMIN_USERNAME=admin',
      'POLICY_FILE=/project/.local/run/policy.yaml',
    ]),
  )
})

test('every line is one KEY=VALUE and no key comes twice', () => {
  const lines = renderEnvLines(aStack())
  for (const line of lines) expect(line).toMatch(/^[A-Z][A-Z0-9_]*=\S+$/)
  const keys = lines.map((line) => line.split('=')[0])
  expect(new Set(keys).size).toBe(keys.length)
})
