import type { SwitchboardErrorCode } from '../../shared/domain/errors.ts'
import type { OAuthErrorCode } from '../../shared/http/oauth-error.ts'
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
  moved: {
    summary: 'Say that all clients run with the stored credential of the last answer',
    value: {
      produce: [created],
      client: { instance: 'orders-api-7f9c', family: 'java' },
      lease: 'lease_7338c284c5d3e1a284d6b8d865f61229',
      moved: { payments: 'a' },
    },
  },
} as const

/** Forms; a test puts a real token in the place of the assertion. */
export const tokenRequests = {
  clientCredentials: {
    summary: 'As a client, whose id and secret are in the authorization header',
    value: { grant_type: 'client_credentials', scope: 'kafka:payments' },
  },
  clientSecretPost: {
    summary: 'As a client, all in the body',
    value: { grant_type: 'client_credentials', client_id: 'legacy-billing', client_secret: 'a secret of this test' },
  },
  jwtBearer: {
    summary: 'With the own token of the workload',
    value: {
      grant_type: 'urn:ietf:params:oauth:grant-type:jwt-bearer',
      assertion: 'eyJhbGciOiJFUzI1NiIs...',
      scope: 'kafka:payments',
    },
  },
} as const

const oauthError = (error: OAuthErrorCode, detail: string) => ({
  error,
  error_description: `${detail} (request ${requestId})`,
})

export const oauthErrors = {
  invalid_request: {
    summary: 'The request is not one of OAuth',
    value: oauthError('invalid_request', '`grant_type` is missing'),
  },
  invalid_client: {
    summary: 'The client is not authenticated',
    value: oauthError('invalid_client', 'the client id or its secret is missing or wrong'),
  },
  invalid_grant: {
    summary: 'The assertion proves nothing',
    value: oauthError('invalid_grant', 'the assertion is no valid proof of identity'),
  },
  unsupported_grant_type: {
    summary: 'Another grant type',
    value: oauthError(
      'unsupported_grant_type',
      'the grant types here are `client_credentials` and `urn:ietf:params:oauth:grant-type:jwt-bearer`',
    ),
  },
  invalid_scope: {
    summary: 'A cluster that is not the caller’s, or is not',
    value: oauthError('invalid_scope', 'no grant lets this principal use a cluster of the scope `kafka:nowhere`'),
  },
} as const

export const answers = {
  servicegw: {
    summary: 'Two channels to consume',
    value: {
      channel_mapping: { created: 'orders.created', shipped: 'orders.shipped' },
      configuration: {
        'auto.offset.reset': 'earliest',
        'client.dns.lookup': 'use_all_dns_ips',
        'client.id': 'legacy-billing',
        'enable.auto.commit': false,
        'group.id': 'legacy-billing',
        'isolation.level': 'read_committed',
        'metadata.recovery.strategy': 'rebootstrap',
      },
      connection: { 'bootstrap.servers': 'kafka-1.payments.acme.com:9093' },
      credentials: {
        'sasl.mechanisms': 'OAUTHBEARER',
        'sasl.oauthbearer.client.id': 'legacy-billing',
        'sasl.oauthbearer.client.secret': 'a secret of this test',
        'sasl.oauthbearer.method': 'oidc',
        'sasl.oauthbearer.scope': 'kafka:payments',
        'sasl.oauthbearer.token.endpoint.url': 'https://switchboard.acme.com/v1/token',
        'security.protocol': 'SASL_SSL',
      },
    },
  },
  token: {
    summary: 'A token for one cluster',
    value: { access_token: 'eyJhbGciOiJFUzI1NiIs...', token_type: 'Bearer', expires_in: 3600, scope: 'kafka:payments' },
  },
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
  stored: {
    summary: 'One channel to produce to, on a cluster with stored credentials',
    value: {
      lease: { id: 'lease_7338c284c5d3e1a284d6b8d865f61229', refreshAfter, expiresAt },
      connections: [
        {
          cluster: { name: 'payments', provider: 'kafka' },
          topics: { [created]: 'orders.created' },
          properties: {
            'bootstrap.servers': 'kafka-1.payments.acme.com:9093',
            'security.protocol': 'SASL_SSL',
            'sasl.mechanism': 'SCRAM-SHA-512',
            'client.id': 'orders-api-7f9c',
          },
          producer: { acks: 'all', 'delivery.timeout.ms': 120000, 'enable.idempotence': true },
          credential: {
            kind: 'scram',
            mechanism: 'SCRAM-SHA-512',
            username: 'sb.orders-api@a',
            password: 'a password of this test',
            slot: 'a',
          },
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
            'client.dns.lookup': 'use_all_dns_ips',
            'metadata.recovery.strategy': 'rebootstrap',
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
            'client.dns.lookup': 'use_all_dns_ips',
            'metadata.recovery.strategy': 'rebootstrap',
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
          because: 'the cluster takes no other',
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
    summary: 'Where our keys and our tokens are',
    value: {
      issuer: 'https://switchboard.acme.com',
      jwks_uri: 'https://switchboard.acme.com/.well-known/jwks.json',
      token_endpoint: 'https://switchboard.acme.com/v1/token',
      grant_types_supported: ['client_credentials', 'urn:ietf:params:oauth:grant-type:jwt-bearer'],
      token_endpoint_auth_methods_supported: ['client_secret_basic', 'client_secret_post'],
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

const tokenEndpoint = 'https://switchboard.acme.com/v1/token?instance='
const loginModule = 'org.apache.kafka.common.security.oauthbearer.OAuthBearerLoginModule required'
const jvmOption = '-Dorg.apache.kafka.sasl.oauthbearer'
const assertionFile = '/var/run/secrets/tokens/kafka'
const callbackHandler = 'org.apache.kafka.common.security.oauthbearer.OAuthBearerLoginCallbackHandler'

/** Answers as the files that stock clients run with. */
export const clientFiles = {
  javaSecret: {
    summary: 'A Java producer with a client id and its secret',
    value: [
      `# ${jvmOption}.allowed.urls=${tokenEndpoint}orders-api-7f9c`,
      'bootstrap.servers=kafka-1.payments.acme.com:9093',
      'security.protocol=SASL_SSL',
      'sasl.mechanism=OAUTHBEARER',
      'client.id=orders-api-7f9c',
      'acks=all',
      'delivery.timeout.ms=120000',
      'enable.idempotence=true',
      `sasl.login.callback.handler.class=${callbackHandler}`,
      `sasl.oauthbearer.token.endpoint.url=${tokenEndpoint}orders-api-7f9c`,
      `sasl.jaas.config=${loginModule} clientId="legacy-billing" clientSecret="a secret of this test" scope="kafka:payments";`,
      '',
    ].join('\n'),
  },
  javaAssertion: {
    summary: "A Java consumer with its workload's own token",
    value: [
      `# ${jvmOption}.allowed.urls=${tokenEndpoint}svc-billing-1 ${jvmOption}.allowed.files=${assertionFile}`,
      'bootstrap.servers=kafka-1.payments.acme.com:9093',
      'security.protocol=SASL_SSL',
      'sasl.mechanism=OAUTHBEARER',
      'client.id=svc-billing-1',
      'auto.offset.reset=earliest',
      'enable.auto.commit=false',
      'isolation.level=read_committed',
      'client.dns.lookup=use_all_dns_ips',
      'metadata.recovery.strategy=rebootstrap',
      'group.id=aws.svc-billing',
      `sasl.login.callback.handler.class=${callbackHandler}`,
      `sasl.oauthbearer.token.endpoint.url=${tokenEndpoint}svc-billing-1`,
      'sasl.oauthbearer.jwt.retriever.class=org.apache.kafka.common.security.oauthbearer.JwtBearerJwtRetriever',
      `sasl.oauthbearer.assertion.file=${assertionFile}`,
      'sasl.oauthbearer.scope=kafka:payments',
      `sasl.jaas.config=${loginModule};`,
      '',
    ].join('\n'),
  },
  javaStored: {
    summary: 'A Java producer on a cluster with stored credentials',
    value: [
      'bootstrap.servers=kafka-1.payments.acme.com:9093',
      'security.protocol=SASL_SSL',
      'sasl.mechanism=SCRAM-SHA-512',
      'client.id=orders-api-7f9c',
      'acks=all',
      'delivery.timeout.ms=120000',
      'enable.idempotence=true',
      'sasl.jaas.config=org.apache.kafka.common.security.scram.ScramLoginModule required username="sb.legacy-billing@a" password="a password of this test";',
      '',
    ].join('\n'),
  },
  librdkafkaStored: {
    summary: 'A librdkafka producer on a cluster with stored credentials',
    value: {
      'bootstrap.servers': 'kafka-1.payments.acme.com:9093',
      'security.protocol': 'SASL_SSL',
      'sasl.mechanism': 'SCRAM-SHA-512',
      'client.id': 'orders-api-7f9c',
      acks: 'all',
      'delivery.timeout.ms': 120000,
      'enable.idempotence': true,
      'sasl.username': 'sb.legacy-billing@a',
      'sasl.password': 'a password of this test',
    },
  },
  librdkafkaSecret: {
    summary: 'A librdkafka producer with a client id and its secret',
    value: {
      'bootstrap.servers': 'kafka-1.payments.acme.com:9093',
      'security.protocol': 'SASL_SSL',
      'sasl.mechanism': 'OAUTHBEARER',
      'client.id': 'orders-api-7f9c',
      acks: 'all',
      'delivery.timeout.ms': 120000,
      'enable.idempotence': true,
      'sasl.oauthbearer.method': 'oidc',
      'sasl.oauthbearer.token.endpoint.url': `${tokenEndpoint}orders-api-7f9c`,
      'sasl.oauthbearer.scope': 'kafka:payments',
      'sasl.oauthbearer.client.id': 'legacy-billing',
      'sasl.oauthbearer.client.secret': 'a secret of this test',
    },
  },
  librdkafkaAssertion: {
    summary: "A librdkafka consumer with its workload's own token",
    value: {
      'bootstrap.servers': 'kafka-1.payments.acme.com:9093',
      'security.protocol': 'SASL_SSL',
      'sasl.mechanism': 'OAUTHBEARER',
      'client.id': 'svc-billing-1',
      'auto.offset.reset': 'earliest',
      'enable.auto.commit': false,
      'isolation.level': 'read_committed',
      'client.dns.lookup': 'use_all_dns_ips',
      'metadata.recovery.strategy': 'rebootstrap',
      'group.id': 'aws.svc-billing',
      'sasl.oauthbearer.method': 'oidc',
      'sasl.oauthbearer.token.endpoint.url': `${tokenEndpoint}svc-billing-1`,
      'sasl.oauthbearer.scope': 'kafka:payments',
      'sasl.oauthbearer.grant.type': 'urn:ietf:params:oauth:grant-type:jwt-bearer',
      'sasl.oauthbearer.assertion.file': assertionFile,
    },
  },
} as const

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

/** Of the endpoint that is asked by a query. */
export const noSuchParameter = problem('invalid_intent', {
  detail: 'the query string has parameters that are missing or not allowed as they are',
  errors: [{ pointer: '/channel', detail: 'needed: at least one channel' }],
})

/** Of the endpoint that answers with files too. */
export const noSuchFile = problem('not_acceptable', {
  detail: 'this endpoint answers `application/json`, `text/x-java-properties`, `application/vnd.librdkafka+json`',
})
