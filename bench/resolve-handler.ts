import { createHash, generateKeyPairSync } from 'node:crypto'
import type { APIGatewayProxyEventV2, APIGatewayProxyStructuredResultV2, Context } from 'aws-lambda'
import { createHandler } from '../functions/resolve/handler.ts'
import { createResolve } from '../functions/resolve/resolve.ts'
import { createRoutes } from '../functions/resolve/routes.ts'
import { createServicegw } from '../functions/resolve/servicegw.ts'
import { createStoredCredentials } from '../functions/resolve/stored-credentials.ts'
import { createIssueToken } from '../functions/resolve/token.ts'
import type { Acl } from '../shared/domain/access.ts'
import { createAuthenticator } from '../shared/identity/authenticator.ts'
import { createIssuerKeys } from '../shared/identity/issuer-keys.ts'
import type { SigningKeys } from '../shared/secrets/signing-key-store.ts'
import type { AccessStore, AppliedAccess } from '../shared/store/access-store.ts'
import { createDirectoryCache } from '../shared/store/directory-cache.ts'
import type { LeaseStore } from '../shared/store/lease-store.ts'
import {
  createMemoryAccessStore,
  createMemoryCredentialStore,
  createMemoryDirectoryStore,
} from '../shared/store/memory.ts'
import { createTelemetry } from '../shared/telemetry.ts'
import { labelShape } from './policies.ts'

const issuerUrl = 'https://switchboard.acme.com'
const clock = () => new Date()

/** Teams of the policy; the principal `service-7` is in `team-7`. */
export const teams = 1_000
export const teamOf = (caller: number): string => `team-${caller % teams}`

const createSigningKeys = (): SigningKeys => {
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const { x = '', y = '' } = publicKey.export({ format: 'jwk' })
  const publicJwk = { kty: 'EC', crv: 'P-256', x, y, kid: 'bench', alg: 'ES256', use: 'sig' } as const
  return { active: { kid: 'bench', privateKey, publicJwk }, published: [publicJwk] }
}

export type Send = (event: APIGatewayProxyEventV2) => Promise<APIGatewayProxyStructuredResultV2>

/** The whole of resolve as `functions/resolve/index.ts` puts it together, but for its stores and its clients. */
export const startResolveHandler = async (
  identityIssuer: string,
  { access, leases }: { readonly access: Pick<AccessStore, 'read' | 'request'>; readonly leases: LeaseStore },
  clients: readonly { readonly id: string; readonly secret: string; readonly team: string }[] = [],
): Promise<Send> => {
  const directory = createMemoryDirectoryStore()
  const shape = labelShape(teams, identityIssuer).policy
  const policy = await directory.writePolicy({
    ...shape,
    identities: [
      ...shape.identities,
      ...clients.map(({ id, team }) => ({ client: id, labels: { env: 'prod', team } })),
    ],
  })
  const digests = new Map(clients.map(({ id, secret }) => [id, [createHash('sha256').update(secret).digest()]]))
  const stores = {
    leases,
    access: {
      ...access,
      // what is there was applied under this policy
      read: async (cluster: string, principal: string) => {
        const applied = await access.read(cluster, principal)
        return applied === undefined
          ? undefined
          : { ...applied, labels: accessOf(principal).labels, policies: [policy] }
      },
    },
  }
  await directory.swapPointer(0, { policy, facts: undefined, next: undefined, denied: [] })
  const fail = (error: unknown): never => {
    throw error
  }
  const telemetry = createTelemetry('resolve', () => undefined)
  const keys = createSigningKeys()
  const signingKeys = async () => keys
  const storedCredentials = createStoredCredentials({
    credentials: createMemoryCredentialStore(),
    secretsOf: () => ({ read: async () => undefined, locate: async () => undefined }),
    registryKeys: { read: async () => undefined },
    queue: { send: async () => {} },
    telemetry,
  })
  const routes = createRoutes({
    issuerUrl,
    directories: createDirectoryCache(directory, clock, fail),
    authenticate: createAuthenticator({
      issuerKeys: createIssuerKeys({ fetch, clock, development: true, onFailure: (_, error) => fail(error) }),
      clientDigests: async () => digests,
      ownIssuer: issuerUrl,
      clock,
    }),
    resolve: createResolve({
      issuerUrl,
      ...stores,
      storedCredentials,
      queue: { send: async () => {} },
      signingKeys,
      mskLogins: async () => new Map(),
      registryLogins: async () => new Map(),
      telemetry,
      clock,
      random: Math.random,
    }),
    issueToken: createIssueToken({
      issuerUrl,
      ...stores,
      queue: { send: async () => {} },
      signingKeys,
      telemetry,
      clock,
    }),
    servicegw: createServicegw({
      issuerUrl,
      ...stores,
      storedCredentials,
      queue: { send: async () => {} },
      telemetry,
      clock,
    }),
    telemetry,
    signingKeys,
    leases: stores.leases,
    clock,
  })
  const handler = createHandler(routes, telemetry)
  const context = {
    functionName: 'resolve',
    awsRequestId: 'bench',
    getRemainingTimeInMillis: () => 10_000,
  } as unknown as Context
  return async (event) => (await handler(event, context)) as APIGatewayProxyStructuredResultV2
}

/** Applied access of `service-7`: all that it may ask for. */
export const accessOf = (principal: string): AppliedAccess => {
  const caller = Number(principal.slice('service-'.length))
  const topics = (['write', 'read'] as const).map(
    (operation): Acl => ({ resource: 'topic', pattern: 'prefixed', name: `${teamOf(caller)}.`, operation }),
  )
  return {
    cluster: `cluster-${(caller % teams) % 4}`,
    principal,
    labels: { env: 'prod', team: teamOf(caller) },
    acls: [...topics, { resource: 'group', pattern: 'literal', name: principal, operation: 'read' }],
    policies: [],
  }
}

/** A memory store in which `callers` principals have what they need. */
export const createReadyAccessStore = async (callers: number): Promise<AccessStore> => {
  const access = createMemoryAccessStore()
  for (let caller = 0; caller < callers; caller++) await access.recordApplied(accessOf(`service-${caller}`), clock())
  return access
}

let requests = 0

export type Ask = {
  readonly token: string
  readonly caller: number
  readonly instance?: string
  readonly lease?: string
  readonly etag?: string
}

export const bodyOf = ({ caller, instance, lease }: Omit<Ask, 'token'>): string =>
  JSON.stringify({
    produce: [`kafka://acme/${teamOf(caller)}/created`],
    consume: [`kafka://acme/${teamOf(caller)}/shipped`],
    client: { family: 'javascript', ...(instance === undefined ? {} : { instance }) },
    ...(lease === undefined ? {} : { lease }),
  })

/** As API Gateway sends it. */
export const eventOf = (authorization: string, body: string, etag?: string): APIGatewayProxyEventV2 => ({
  version: '2.0',
  routeKey: '$default',
  rawPath: '/v1/resolve',
  rawQueryString: '',
  headers: {
    accept: 'application/json',
    authorization,
    'content-length': String(body.length),
    'content-type': 'application/json',
    host: 'switchboard.acme.com',
    'user-agent': 'bench',
    'x-amzn-trace-id': 'Root=1-00000000-000000000000000000000000',
    'x-forwarded-for': '203.0.113.1',
    'x-forwarded-port': '443',
    'x-forwarded-proto': 'https',
    ...(etag === undefined ? {} : { 'if-none-match': etag }),
  },
  requestContext: {
    accountId: '111122223333',
    apiId: 'bench',
    domainName: 'switchboard.acme.com',
    domainPrefix: 'switchboard',
    http: { method: 'POST', path: '/v1/resolve', protocol: 'HTTP/1.1', sourceIp: '203.0.113.1', userAgent: 'bench' },
    requestId: `request-${++requests}`,
    routeKey: '$default',
    stage: '$default',
    time: '21/Nov/2026:12:00:00 +0000',
    timeEpoch: 1_795_262_400_000,
  },
  body,
  isBase64Encoded: false,
})

/** A request of the token endpoint; API Gateway sends forms in base64. */
export const tokenEventOf = (
  form: string,
  { authorization, query = '' }: { readonly authorization?: string; readonly query?: string } = {},
): APIGatewayProxyEventV2 => {
  const event = eventOf('', form)
  const { authorization: _, ...headers } = event.headers
  return {
    ...event,
    rawPath: '/v1/token',
    rawQueryString: query,
    headers: {
      ...headers,
      'content-type': 'application/x-www-form-urlencoded',
      ...(authorization === undefined ? {} : { authorization }),
    },
    body: Buffer.from(form).toString('base64'),
    isBase64Encoded: true,
  }
}

/** @throws Error unless the answer has this status */
export const ask = async (
  send: Send,
  question: Ask,
  status = 200,
): Promise<{ readonly lease: string; readonly etag: string }> => {
  const answer = await send(eventOf(`Bearer ${question.token}`, bodyOf(question), question.etag))
  if (answer.statusCode !== status)
    throw new Error(`resolve answered \`${answer.statusCode}\`, expected \`${status}\`: ${answer.body}`)
  const lease = status === 200 ? JSON.parse(answer.body ?? '').lease.id : question.lease
  return { lease, etag: String(answer.headers?.etag) }
}
