import type { APIGatewayProxyEventV2, APIGatewayProxyStructuredResultV2 } from 'aws-lambda'
import type { Directory } from '../../shared/domain/directory.ts'
import { SwitchboardError } from '../../shared/domain/errors.ts'
import { explain } from '../../shared/domain/explain.ts'
import { leaseIdPattern, parseIntent } from '../../shared/domain/intent.ts'
import type { Principal } from '../../shared/domain/principal.ts'
import { negotiate } from '../../shared/http/accept.ts'
import { readJsonBody, requireAcceptsJson } from '../../shared/http/request.ts'
import { tokenEndpointUrl, tokenPath } from '../../shared/http/token-answer.ts'
import { type Authenticate, authenticateRole } from '../../shared/identity/authenticator.ts'
import type { SigningKeys } from '../../shared/secrets/signing-key-store.ts'
import type { DirectoryCache } from '../../shared/store/directory-cache.ts'
import type { LeaseStore } from '../../shared/store/lease-store.ts'
import type { Telemetry } from '../../shared/telemetry.ts'
import { tokenHash } from './audit.ts'
import { type ClientForm, jsonType, parseClientForm, resolveTypes } from './client-form.ts'
import { noSuchLease, type Resolve, type Resolved } from './resolve.ts'
import type { Servicegw } from './servicegw.ts'
import { createServicegwEndpoint } from './servicegw-endpoint.ts'
import type { IssueToken } from './token.ts'
import { clientAuthenticationMethods, createTokenEndpoint, grantTypes } from './token-endpoint.ts'

export type RoutesDeps = {
  readonly issuerUrl: string
  readonly directories: DirectoryCache
  readonly authenticate: Authenticate
  readonly resolve: Resolve
  readonly issueToken: IssueToken
  readonly servicegw: Servicegw
  readonly telemetry: Pick<Telemetry, 'audit'>
  readonly signingKeys: () => Promise<SigningKeys>
  readonly leases: Pick<LeaseStore, 'release'>
  readonly clock: () => Date
}

/** `parameter` is what the last segment of a path with `{id}` held. */
export type Endpoint = (
  event: APIGatewayProxyEventV2,
  requestId: string,
  parameter: string,
) => Promise<APIGatewayProxyStructuredResultV2>

/** Path -> method -> endpoint. */
export type Routes = Readonly<Record<string, Readonly<Record<string, Endpoint>>>>

const json = (body: unknown, cacheControl: string): APIGatewayProxyStructuredResultV2 => ({
  statusCode: 200,
  headers: { 'content-type': 'application/json', 'cache-control': cacheControl },
  body: JSON.stringify(body),
})

const noStore = 'no-store'
/** Brokers keep keys for an hour; caches in between may for a minute. */
const shared = 'public, max-age=60'

/** What the IAM authorizer of the route says; absent on every other way in. */
const roleArn = (event: APIGatewayProxyEventV2): string | undefined => {
  const { authorizer } = event.requestContext as { authorizer?: { iam?: { userArn?: unknown } } }
  const arn = authorizer?.iam?.userArn
  return typeof arn === 'string' ? arn : undefined
}

const renderBody = (
  resolved: Resolved,
  form: ClientForm | undefined,
): { readonly type: string; readonly body: string } | undefined => {
  if (resolved.outcome === 'answered') return { type: jsonType, body: JSON.stringify(resolved.answer) }
  if (resolved.outcome === 'unchanged' || form === undefined) return undefined
  return { type: form.contentType, body: form.render(resolved.settings, resolved.login, resolved.registryLogin) }
}

/** A 304 and a file say nothing of the lease, so it is in the headers of every answer. */
const renderResolved = (resolved: Resolved, form: ClientForm | undefined): APIGatewayProxyStructuredResultV2 => {
  const rendered = renderBody(resolved, form)
  return {
    statusCode: rendered === undefined ? 304 : 200,
    headers: {
      ...(rendered === undefined ? {} : { 'content-type': rendered.type }),
      'cache-control': noStore,
      etag: resolved.etag,
      'lease-id': resolved.lease.id,
      'lease-refresh-after': resolved.lease.refreshAfter,
      'lease-expires-at': resolved.lease.expiresAt,
    },
    ...(rendered === undefined ? {} : { body: rendered.body }),
  }
}

export const createRoutes = ({
  issuerUrl,
  directories,
  authenticate,
  resolve,
  issueToken,
  servicegw,
  telemetry,
  signingKeys,
  leases,
  clock,
}: RoutesDeps): Routes => {
  /** RFC 8414 and OpenID Connect Discovery: enough for a cluster or an identity pool to trust our keys. */
  const metadata: Endpoint = async () =>
    json(
      {
        issuer: issuerUrl,
        jwks_uri: `${issuerUrl}/.well-known/jwks.json`,
        token_endpoint: tokenEndpointUrl(issuerUrl),
        grant_types_supported: grantTypes,
        token_endpoint_auth_methods_supported: clientAuthenticationMethods,
        response_types_supported: ['token'],
        subject_types_supported: ['public'],
        id_token_signing_alg_values_supported: ['ES256'],
      },
      shared,
    )
  const answer = async (
    event: APIGatewayProxyEventV2,
    requestId: string,
    identify: (directory: Directory) => Principal | Promise<Principal>,
  ): Promise<APIGatewayProxyStructuredResultV2> => {
    const type = negotiate(event.headers.accept, resolveTypes)
    const snapshot = await directories.current()
    const principal = await identify(snapshot.directory)
    const intent = parseIntent(readJsonBody(event))
    const request = { id: requestId, tokenHash: tokenHash(event), ifNoneMatch: event.headers['if-none-match'] }
    const form = parseClientForm({ type, event, intent, issuerUrl, tokenHash: request.tokenHash })
    const wanted = form === undefined ? intent : { ...intent, client: { ...intent.client, family: form.family } }
    return renderResolved(await resolve(principal, wanted, snapshot, { ...request, form }), form)
  }

  return {
    '/v1/resolve': {
      POST: (event, requestId) =>
        answer(event, requestId, (directory) => authenticate(event.headers.authorization, directory)),
    },
    '/v1/aws/resolve': {
      POST: (event, requestId) => answer(event, requestId, (directory) => authenticateRole(roleArn(event), directory)),
    },
    '/servicegw': { GET: createServicegwEndpoint({ directories, authenticate, servicegw }) },
    [tokenPath]: { POST: createTokenEndpoint({ directories, authenticate, issueToken, telemetry }) },
    '/v1/explain': {
      POST: async (event) => {
        requireAcceptsJson(event)
        const { directory, denied } = await directories.current()
        const principal = await authenticate(event.headers.authorization, directory)
        const intent = parseIntent(readJsonBody(event))
        return json(explain(principal, intent, { directory, denied, now: clock(), jitter: 0.5 }, 'caller'), noStore)
      },
    },
    '/v1/leases/{id}': {
      DELETE: async (event, _requestId, id) => {
        const { directory } = await directories.current()
        const principal = await authenticate(event.headers.authorization, directory)
        if (!leaseIdPattern.test(id) || !(await leases.release(principal.name, id, clock()))) throw noSuchLease()
        return { statusCode: 204, headers: { 'cache-control': noStore } }
      },
    },
    '/v1/health': {
      GET: async () => {
        const [{ directory, revision }] = await Promise.all([directories.current(), signingKeys()])
        return json({ status: 'ok', revision, directory: directory.hash }, noStore)
      },
    },
    '/.well-known/jwks.json': {
      GET: async () => json({ keys: (await signingKeys()).published }, shared),
    },
    '/.well-known/openid-configuration': { GET: metadata },
    '/.well-known/oauth-authorization-server': { GET: metadata },
  }
}

export type Found = { readonly endpoint: Endpoint; readonly parameter: string }

/** @throws SwitchboardError `not_found` or `method_not_allowed` */
export const findEndpoint = (routes: Routes, path: string, method: string): Found => {
  const cut = path.lastIndexOf('/')
  const withId = `${path.slice(0, cut)}/{id}`
  const key = Object.hasOwn(routes, path) && !path.endsWith('}') ? path : withId
  if (!Object.hasOwn(routes, key)) throw new SwitchboardError('not_found', { detail: 'no endpoint has this path' })
  const methods = routes[key] ?? {}
  const endpoint = Object.hasOwn(methods, method) ? methods[method] : undefined
  if (endpoint !== undefined) return { endpoint, parameter: path.slice(cut + 1) }
  const allowed = Object.keys(methods).join(', ')
  throw new SwitchboardError('method_not_allowed', { detail: `allowed here: ${allowed}`, headers: { allow: allowed } })
}
