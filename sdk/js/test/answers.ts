import type { SimulatedReply } from './simulated-switchboard.ts'

export const created = 'kafka://payments.acme.com/orders/created'
export const orders = 'kafka://payments.acme.com/orders/**'

const later = (now: Date, seconds: number): string => new Date(now.getTime() + seconds * 1000).toISOString()

export const aConnection = (
  now: Date,
  {
    token = 'kafka-token-1',
    lifeSeconds = 600,
    ...members
  }: {
    readonly token?: string
    readonly lifeSeconds?: number
    readonly [name: string]: unknown
  } = {},
) => ({
  cluster: { name: 'payments', provider: 'kafka' },
  topics: { [created]: 'orders.created' },
  patterns: { [orders]: '^orders\\.[^.]+$' },
  properties: {
    'bootstrap.servers': 'kafka-1.acme.com:9093,kafka-2.acme.com:9093',
    'security.protocol': 'SASL_SSL',
    'sasl.mechanism': 'OAUTHBEARER',
    'ssl.truststore.type': 'PEM',
    'ssl.truststore.certificates': '-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n',
    'client.id': 'orders-api',
    'client.rack': 'euw1-az1',
  },
  producer: { acks: 'all', 'enable.idempotence': true, 'compression.type': 'none', 'linger.ms': 5 },
  consumer: {
    'group.id': 'orders-api',
    'auto.offset.reset': 'earliest',
    'enable.auto.commit': false,
    'isolation.level': 'read_committed',
  },
  credential: { kind: 'jwt', token, expiresAt: later(now, lifeSeconds) },
  ...members,
})

/** A 200 whose lease is to be renewed after half of its life. */
export const anAnswer = (
  now: Date,
  {
    lifeSeconds = 600,
    etag,
    connections,
    ...connection
  }: {
    readonly token?: string
    readonly lifeSeconds?: number
    readonly etag?: string
    readonly connections?: readonly unknown[]
    readonly [name: string]: unknown
  } = {},
): SimulatedReply => ({
  status: 200,
  headers: { 'cache-control': 'no-store', ...(etag === undefined ? {} : { etag }) },
  body: {
    lease: { id: 'lease_1', refreshAfter: later(now, lifeSeconds / 2), expiresAt: later(now, lifeSeconds) },
    connections: connections ?? [aConnection(now, { lifeSeconds, ...connection })],
    directory: 'sha256:00',
  },
})
