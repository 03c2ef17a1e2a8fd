import type { SwitchboardErrorCode } from '../../shared/domain/errors.ts'
import { problems } from '../../shared/http/problem.ts'

/*
 * Requests and answers as the contract shows them. Tests send every request under `examples/policy.yaml` and compare every
 * answer; only tokens, keys and the address of the policy are others each time.
 */

const created = 'kafka://payments.acme.com/orders/created'
const directory = `sha256:${'9f2c'.repeat(16)}`
const requestId = 'KsXm9hDRDoEEMXw='
const refreshAfter = '2026-11-21T12:30:00.000Z'
const expiresAt = '2026-11-21T13:00:00.000Z'

/** Shortened; a real one has three whole parts. */
const credential = { kind: 'jwt', expiresAt, token: 'eyJhbGciOiJFUzI1NiIs...' }

export const intents = {
  produce: {
    summary: 'Produce to one channel',
    value: { produce: [created], client: { instance: 'orders-api-7f9c', family: 'java' } },
  },
  pattern: {
    summary: 'Consume all channels of a pattern, inside a network',
    value: {
      consume: ['kafka://payments.acme.com/orders/**'],
      group: 'orders-api',
      client: { instance: 'orders-api-7f9c' },
      network: 'vpc-local',
    },
  },
  consume: {
    summary: 'Consume one channel',
    value: { consume: [created], client: { instance: 'svc-billing-1' } },
  },
  renewal: {
    summary: 'Renew a lease',
    value: {
      produce: [created],
      client: { instance: 'orders-api-7f9c', family: 'java' },
      lease: 'lease_7338c284c5d3e1a284d6b8d865f61229',
    },
  },
} as const

export const answers = {
  produce: {
    summary: 'One cluster, one topic',
    value: {
      lease: { id: 'lease_7338c284c5d3e1a284d6b8d865f61229', refreshAfter, expiresAt },
      connections: [
        {
          cluster: { name: 'payments', provider: 'kafka' },
          topics: { [created]: 'orders.created' },
          properties: {
            'bootstrap.servers': 'kafka-1.payments.acme.com:9093',
            'security.protocol': 'SASL_SSL',
            'sasl.mechanism': 'OAUTHBEARER',
            'client.id': 'orders-api-7f9c',
          },
          producer: { acks: 'all', 'delivery.timeout.ms': 120000, 'enable.idempotence': true },
          credential,
        },
      ],
      directory,
    },
  },
  pattern: {
    summary: 'A regular expression over topics, and the listener of the network',
    value: {
      lease: { id: 'lease_2b9fe7e0c6d7c9ca214cbe20bfc793a0', refreshAfter, expiresAt },
      connections: [
        {
          cluster: { name: 'payments', provider: 'kafka' },
          topics: {},
          patterns: { 'kafka://payments.acme.com/orders/**': '^orders\\..+$' },
          properties: {
            'bootstrap.servers': 'kafka-1.payments.internal:9092',
            'security.protocol': 'SASL_PLAINTEXT',
            'sasl.mechanism': 'OAUTHBEARER',
            'client.id': 'orders-api-7f9c',
          },
          consumer: {
            'auto.offset.reset': 'earliest',
            'enable.auto.commit': false,
            'isolation.level': 'read_committed',
            'group.id': 'orders-api',
          },
          credential,
        },
      ],
      directory,
    },
  },
  consume: {
    summary: 'The role `svc-billing`, which the policy names `aws.svc-billing`',
    value: {
      lease: { id: 'lease_06a6583c54df1d36848567a91a0d03a4', refreshAfter, expiresAt },
      connections: [
        {
          cluster: { name: 'payments', provider: 'kafka' },
          topics: { [created]: 'orders.created' },
          properties: {
            'bootstrap.servers': 'kafka-1.payments.acme.com:9093',
            'security.protocol': 'SASL_SSL',
            'sasl.mechanism': 'OAUTHBEARER',
            'client.id': 'svc-billing-1',
          },
          consumer: {
            'auto.offset.reset': 'earliest',
            'enable.auto.commit': false,
            'isolation.level': 'read_committed',
            'group.id': 'aws.svc-billing',
          },
          credential,
        },
      ],
      directory,
    },
  },
  explainAllowed: {
    summary: 'Allowed',
    value: {
      principal: { name: 'orders-api', labels: { team: 'payments' } },
      identityRule: 0,
      outcome: 'allow',
      lease: {
        expiresAt,
        limit: 'maximum',
        limits: [
          { name: 'maximum', expiresAt },
          { name: 'grants[0].maxLease', expiresAt },
        ],
      },
      wishes: [
        {
          pointer: '/produce/0',
          action: 'produce',
          asked: created,
          nearMisses: [],
          outcome: 'allowed',
          grant: 0,
          routes: [{ route: 0, cluster: 'payments', topics: 'orders.created' }],
        },
      ],
      clusters: [
        {
          cluster: 'payments',
          quarantined: false,
          listener: 'outside',
          network: 'public',
          security: 'SASL_SSL',
          credential: 'jwt',
        },
      ],
      directory,
    },
  },
  explainDenied: {
    summary: 'Denied, with a near miss',
    value: {
      principal: { name: 'billing', labels: { team: 'finance' } },
      identityRule: 0,
      outcome: 'deny',
      rule: 2,
      reason: 'no_grant',
      wishes: [
        {
          pointer: '/produce/0',
          action: 'produce',
          asked: created,
          nearMisses: [{ grant: 1, because: 'it allows the other action' }],
          outcome: 'denied',
          rule: 2,
          reason: 'no_grant',
          routes: [],
        },
      ],
      clusters: [],
      directory,
    },
  },
  health: { summary: 'Ready', value: { status: 'ok', revision: 1, directory } },
  keys: {
    summary: 'One key',
    value: {
      keys: [
        {
          kty: 'EC',
          crv: 'P-256',
          x: 'MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4',
          y: '4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM',
          kid: 'switchboard-1',
          alg: 'ES256',
          use: 'sig',
        },
      ],
    },
  },
  metadata: {
    summary: 'Where our keys are',
    value: {
      issuer: 'https://switchboard.acme.com',
      jwks_uri: 'https://switchboard.acme.com/.well-known/jwks.json',
      response_types_supported: ['token'],
      subject_types_supported: ['public'],
      id_token_signing_alg_values_supported: ['ES256'],
    },
  },
} as const

const problem = (code: SwitchboardErrorCode, more: Readonly<Record<string, unknown>> = {}) => {
  const { title, status, retryable } = problems[code]
  return {
    type: `https://github.com/switchboard-kafka/switchboard/blob/main/docs/problems.md#${code}`,
    title,
    status,
    instance: `urn:switchboard:request:${requestId}`,
    code,
    retryable,
    ...more,
  }
}

export const problemExamples: Readonly<Partial<Record<SwitchboardErrorCode, unknown>>> = {
  invalid_intent: problem('invalid_intent', {
    detail: 'the intent has fields that are not allowed as they are',
    errors: [{ pointer: '/produce/0', detail: 'a channel starts with `kafka://<domain>/`, got `orders`' }],
  }),
  unauthenticated: problem('unauthenticated', { detail: 'the request carries no valid proof of identity' }),
  access_denied: problem('access_denied', {
    detail:
      'no grant allows this principal all that it asked for; the platform team finds the reason by the request id',
  }),
  not_found: problem('not_found', {
    detail: 'no lease of this principal has this id; resolve without `lease`',
  }),
  not_acceptable: problem('not_acceptable', { detail: 'this endpoint answers `application/json`' }),
  payload_too_large: problem('payload_too_large', { detail: 'the body has 65537 bytes, allowed are 65536' }),
  unsupported_media_type: problem('unsupported_media_type', { detail: 'send `content-type: application/json`' }),
  rate_limited: problem('rate_limited', { detail: 'this principal holds 1 leases, as many as the policy allows' }),
  internal: problem('internal'),
  credential_not_ready: problem('credential_not_ready', {
    detail: 'the access on the cluster is being prepared; ask again',
  }),
  unavailable: problem('unavailable'),
}
