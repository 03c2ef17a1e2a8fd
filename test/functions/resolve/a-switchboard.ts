import { createHash } from 'node:crypto'
import type { APIGatewayProxyEventV2, APIGatewayProxyStructuredResultV2, Context } from 'aws-lambda'
import { SignJWT } from 'jose'
import { createHandler } from '../../../functions/resolve/handler.ts'
import { createMskLogins } from '../../../functions/resolve/msk-logins.ts'
import { createRegistryLogins } from '../../../functions/resolve/registry-logins.ts'
import { createResolve } from '../../../functions/resolve/resolve.ts'
import { createRoutes } from '../../../functions/resolve/routes.ts'
import { createServicegw } from '../../../functions/resolve/servicegw.ts'
import { createStoredCredentials } from '../../../functions/resolve/stored-credentials.ts'
import { createIssueToken } from '../../../functions/resolve/token.ts'
import { createApplyAccess } from '../../../functions/rotate/apply-access.ts'
import { type AssumeRole, createIamSessions } from '../../../shared/clusters/msk/iam-session.ts'
import type { Policy } from '../../../shared/domain/policy.ts'
import type { Revocation } from '../../../shared/domain/revocation.ts'
import { createAuthenticator } from '../../../shared/identity/authenticator.ts'
import { createIssuerKeys } from '../../../shared/identity/issuer-keys.ts'
import type { RegistrySecrets } from '../../../shared/secrets/registry-secrets.ts'
import type { SigningKeys } from '../../../shared/secrets/signing-key-store.ts'
import type { SlotSecrets } from '../../../shared/secrets/slot-secrets.ts'
import type { AccessStore } from '../../../shared/store/access-store.ts'
import { createDirectoryCache } from '../../../shared/store/directory-cache.ts'
import type { LeaseStore } from '../../../shared/store/lease-store.ts'
import {
  createMemoryAccessStore,
  createMemoryCredentialStore,
  createMemoryDirectoryStore,
  createMemoryLeaseStore,
} from '../../../shared/store/memory.ts'
import type { Message } from '../../../shared/store/queue.ts'
import { aPolicy, now } from '../../fixtures/policies.ts'
import { recordTelemetry } from '../../fixtures/recorded-telemetry.ts'
import { createSigningKey, createSigningKeys } from '../../fixtures/signing-keys.ts'
import { simulateKafka } from '../../fixtures/simulated-kafka.ts'

export const issuerUrl = 'https://switchboard.acme.com'
export const workloadIssuer = 'https://login.acme.com'
export const created = 'kafka://acme/orders/created'

export const ordersPolicy = aPolicy({
  grants: [
    {
      principals: ['orders-api'],
      produce: ['kafka://acme/orders/**'],
      consume: ['kafka://acme/orders/**'],
      groups: ['orders-*'],
      maxLease: '30m',
    },
    { principals: { labels: { team: 'finance' } }, consume: ['kafka://acme/orders/**'] },
  ],
})

const workloadKey = createSigningKey('workload-1')

/** A token of the workload issuer. */
export const tokenFor = (sub: string, claims: Record<string, unknown> = {}): Promise<string> =>
  new SignJWT({ iss: workloadIssuer, aud: 'switchboard', sub, iat: seconds(now), exp: seconds(now) + 7200, ...claims })
    .setProtectedHeader({ alg: 'ES256', kid: workloadKey.kid })
    .sign(workloadKey.privateKey)

const seconds = (time: Date): number => Math.floor(time.getTime() / 1000)

/** The issuer's two documents; everything else about its keys is real. */
const fetchOfIssuer: typeof fetch = async (input) => {
  const path = new URL(String(input)).pathname
  return Response.json(
    path === '/keys'
      ? { keys: [workloadKey.publicJwk] }
      : { issuer: workloadIssuer, jwks_uri: `${workloadIssuer}/keys` },
  )
}

export type Answer = {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  readonly body: Record<string, unknown> & { readonly [member: string]: unknown }
  readonly text: string
}

export type Request = {
  readonly method?: string
  readonly path?: string
  /** Without its question mark. */
  readonly query?: string
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: unknown
  readonly base64?: boolean
  readonly roleArn?: string
}

export const eventOf = ({
  method = 'POST',
  path = '/v1/resolve',
  query = '',
  headers = {},
  body,
  base64,
  roleArn,
}: Request): APIGatewayProxyEventV2 => ({
  version: '2.0',
  routeKey: '$default',
  rawPath: path,
  rawQueryString: query,
  headers,
  isBase64Encoded: base64 ?? false,
  ...(body === undefined ? {} : { body: typeof body === 'string' ? body : JSON.stringify(body) }),
  requestContext: {
    accountId: '111122223333',
    apiId: 'api',
    domainName: 'switchboard.acme.com',
    domainPrefix: 'switchboard',
    http: { method, path, protocol: 'HTTP/1.1', sourceIp: '192.0.2.1', userAgent: 'test' },
    requestId: 'request-1',
    routeKey: '$default',
    stage: '$default',
    time: '',
    timeEpoch: 0,
    ...(roleArn === undefined ? {} : { authorizer: { iam: { userArn: roleArn } } }),
  },
})

export type SwitchboardOptions = {
  readonly policy?: Policy | undefined
  readonly leases?: (real: LeaseStore) => LeaseStore
  readonly access?: (real: AccessStore) => AccessStore
  readonly send?: (message: Message) => Promise<void>
  readonly signingKeys?: () => Promise<SigningKeys>
  readonly assumeRole?: AssumeRole
  /** ARN of the role that the stack has for MSK. */
  readonly mskRole?: string
  readonly registrySecrets?: RegistrySecrets
  readonly readSecrets?: (cluster: string, principal: string) => Promise<SlotSecrets | undefined>
}

/** The resolve function as it is deployed, over memory stores, with rotate's work beside it on a simulated cluster. */
export const aSwitchboard = async (options: SwitchboardOptions = {}) => {
  let time = now
  const clock = () => time
  const telemetry = recordTelemetry()
  const directories = createMemoryDirectoryStore()
  const credentials = createMemoryCredentialStore()
  const realLeases = createMemoryLeaseStore(credentials)
  const secretReads: string[] = []
  const secretLooks: string[] = []
  const slotSecrets = new Map<string, SlotSecrets>()
  const registryKeys = new Map<string, SlotSecrets>()
  const realAccess = createMemoryAccessStore()
  const leases = options.leases?.(realLeases) ?? realLeases
  const access = options.access?.(realAccess) ?? realAccess
  const keys = createSigningKeys()
  const signingKeys = options.signingKeys ?? (async () => keys)
  const messages: Message[] = []
  const send = options.send ?? (async (message: Message) => void messages.push(message))
  const kafka = simulateKafka()
  const storedCredentials = createStoredCredentials({
    credentials,
    secretsOf: () => ({
      read: async (cluster, principal, slot) => {
        secretReads.push(`${cluster}/${principal}`)
        return ((await options.readSecrets?.(cluster, principal)) ?? slotSecrets.get(`${cluster}/${principal}`))?.[slot]
      },
      locate: async (cluster, principal) => {
        secretLooks.push(`${cluster}/${principal}`)
        return slotSecrets.has(`${cluster}/${principal}`)
          ? {
              arn: `arn:aws:secretsmanager:eu-west-1:111122223333:secret:${cluster}/${principal}-AbCdEf`,
              versionId: 'v1',
            }
          : undefined
      },
    }),
    registryKeys: {
      read: async (cluster, principal, slot) => {
        secretReads.push(`${cluster}/${principal} registry`)
        return registryKeys.get(`${cluster}/${principal}`)?.[slot]
      },
    },
    queue: { send },
    telemetry,
  })

  const apply = async (policy: Policy, denied: readonly Revocation[] = []): Promise<void> => {
    const { revision } = await directories.readPointer()
    const hash = await directories.writePolicy(policy)
    await directories.swapPointer(revision, { policy: hash, facts: undefined, next: undefined, denied })
  }
  const policy = 'policy' in options ? options.policy : ordersPolicy
  if (policy !== undefined) await apply(policy)

  const handler = createHandler(
    createRoutes({
      issuerUrl,
      directories: createDirectoryCache(directories, clock, () => {}),
      authenticate: createAuthenticator({
        issuerKeys: createIssuerKeys({ fetch: fetchOfIssuer, clock, development: false, onFailure: () => {} }),
        // two, as during a rotation
        clientDigests: async () =>
          new Map([['legacy', ['s3cret', 'n3xt'].map((secret) => createHash('sha256').update(secret).digest())]]),
        ownIssuer: issuerUrl,
        clock,
      }),
      resolve: createResolve({
        issuerUrl,
        access,
        leases,
        storedCredentials,
        queue: { send },
        signingKeys,
        mskLogins: createMskLogins({
          sessions: createIamSessions(options.assumeRole ?? (async () => Promise.reject(new Error('no STS here')))),
          role: options.mskRole,
          telemetry,
        }),
        registryLogins: createRegistryLogins(
          options.registrySecrets ?? (async () => Promise.reject(new Error('no Secrets Manager here'))),
          telemetry,
        ),
        telemetry,
        clock,
        random: () => 0.5,
      }),
      issueToken: createIssueToken({
        issuerUrl,
        access,
        leases,
        queue: { send },
        signingKeys,
        telemetry,
        clock,
      }),
      servicegw: createServicegw({
        issuerUrl,
        access,
        leases,
        storedCredentials,
        queue: { send },
        telemetry,
        clock,
      }),
      telemetry,
      signingKeys,
      leases,
      clock,
    }),
    telemetry,
  )

  const answerTo = async (event: unknown): Promise<Answer> => {
    const result = (await handler(event as APIGatewayProxyEventV2, {} as Context)) as APIGatewayProxyStructuredResultV2
    const text = result.body ?? ''
    return {
      status: result.statusCode ?? 0,
      headers: result.headers as Record<string, string>,
      body: /json/.test(String(result.headers?.['content-type'])) ? JSON.parse(text) : {},
      text,
    }
  }

  const applyAccess = createApplyAccess({
    directories,
    access: realAccess,
    credentials,
    openQuotas: kafka.openQuotas,
    openAdmin: kafka.open,
    telemetry: recordTelemetry(),
    clock,
  })

  return {
    telemetry,
    messages,
    kafka,
    keys,
    leases: realLeases,
    access: realAccess,
    credentials,
    /** What Secrets Manager holds, by `cluster/principal`. */
    slotSecrets,
    /** The same, of schema registries. */
    registryKeys,
    /** In order: `cluster/principal`, and ` registry` for a key of that. */
    secretReads,
    secretLooks,
    directories,
    apply,
    answerTo,
    setTime: (after: number) => {
      time = new Date(now.getTime() + after * 1000)
    },
    /** What rotate does for a message. */
    prepare: (principal: string, cluster = 'main') => applyAccess(cluster, [principal]),
    request: (request: Request) => answerTo(eventOf(request)),
    resolve: async (
      body: unknown,
      {
        as = 'orders-api',
        claims = {},
        headers = {},
      }: { as?: string; claims?: Record<string, unknown>; headers?: Record<string, string> } = {},
    ) =>
      answerTo(
        eventOf({
          headers: {
            authorization: `Bearer ${await tokenFor(as, claims)}`,
            'content-type': 'application/json',
            ...headers,
          },
          body,
        }),
      ),
  }
}

export type Switchboard = Awaited<ReturnType<typeof aSwitchboard>>
