import { createHash } from 'node:crypto'
import type { APIGatewayProxyEventV2, APIGatewayProxyStructuredResultV2 } from 'aws-lambda'
import { SwitchboardError } from '../../shared/domain/errors.ts'
import { parseIntent } from '../../shared/domain/intent.ts'
import { readJsonBody, requireAcceptsJson } from '../../shared/http/request.ts'
import type { Authenticate } from '../../shared/identity/authenticator.ts'
import type { SigningKeys } from '../../shared/secrets/signing-key-store.ts'
import type { DirectoryCache } from '../../shared/store/directory-cache.ts'
import type { Resolve } from './resolve.ts'

export type RoutesDeps = {
  readonly issuerUrl: string
  readonly directories: DirectoryCache
  readonly authenticate: Authenticate
  readonly resolve: Resolve
  readonly signingKeys: () => Promise<SigningKeys>
}

export type Endpoint = (event: APIGatewayProxyEventV2, requestId: string) => Promise<APIGatewayProxyStructuredResultV2>

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

export const createRoutes = ({ issuerUrl, directories, authenticate, resolve, signingKeys }: RoutesDeps): Routes => {
  /** RFC 8414 and OpenID Connect Discovery: enough for a cluster or an identity pool to trust our keys. */
  const metadata: Endpoint = async () =>
    json(
      {
        issuer: issuerUrl,
        jwks_uri: `${issuerUrl}/.well-known/jwks.json`,
        response_types_supported: ['token'],
        subject_types_supported: ['public'],
        id_token_signing_alg_values_supported: ['ES256'],
      },
      shared,
    )
  return {
    '/v1/resolve': {
      POST: async (event, requestId) => {
        requireAcceptsJson(event)
        const { authorization } = event.headers
        const snapshot = await directories.current()
        const principal = await authenticate(authorization, snapshot.directory)
        const intent = parseIntent(readJsonBody(event))
        const tokenHash = createHash('sha256')
          .update(authorization ?? '')
          .digest('hex')
        return json(await resolve(principal, intent, snapshot, { id: requestId, tokenHash }), noStore)
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

/** @throws SwitchboardError `not_found` or `method_not_allowed` */
export const findEndpoint = (routes: Routes, path: string, method: string): Endpoint => {
  if (!Object.hasOwn(routes, path)) throw new SwitchboardError('not_found', { detail: 'no endpoint has this path' })
  const methods = routes[path] ?? {}
  const endpoint = Object.hasOwn(methods, method) ? methods[method] : undefined
  if (endpoint !== undefined) return endpoint
  const allowed = Object.keys(methods).join(', ')
  throw new SwitchboardError('method_not_allowed', { detail: `allowed here: ${allowed}`, headers: { allow: allowed } })
}
