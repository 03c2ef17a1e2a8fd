import type { APIGatewayProxyEventV2, APIGatewayProxyStructuredResultV2 } from 'aws-lambda'
import { SwitchboardError } from '../../shared/domain/errors.ts'
import { requireAcceptsJson } from '../../shared/http/request.ts'
import { parseServicegwQuery } from '../../shared/http/servicegw-query.ts'
import { type Authenticate, basicCredentials, isBasic } from '../../shared/identity/authenticator.ts'
import type { DirectoryCache } from '../../shared/store/directory-cache.ts'
import { tokenHash } from './audit.ts'
import { type Servicegw, tagOf } from './servicegw.ts'

export type ServicegwEndpointDeps = {
  readonly directories: DirectoryCache
  readonly authenticate: Authenticate
  readonly servicegw: Servicegw
}

export type ServicegwEndpoint = (
  event: APIGatewayProxyEventV2,
  requestId: string,
) => Promise<APIGatewayProxyStructuredResultV2>

/** `GET /servicegw`, as clients of the ancestor ask for it: about once a second. */
export const createServicegwEndpoint =
  ({ directories, authenticate, servicegw }: ServicegwEndpointDeps): ServicegwEndpoint =>
  async (event, requestId) => {
    requireAcceptsJson(event)
    const snapshot = await directories.current()
    const { authorization = '' } = event.headers
    const principal = await authenticate(event.headers.authorization, snapshot.directory)
    if (!isBasic(authorization))
      throw new SwitchboardError('invalid_intent', {
        detail:
          'the settings of this answer have to stay good, and a token does not: send a client id and its secret (Basic), or this token to `POST /v1/resolve`',
      })
    const { id: clientId, secret: clientSecret } = basicCredentials(authorization)
    const request = { id: requestId, tokenHash: tokenHash(event), clientId, clientSecret }
    const { lease, body } = await servicegw(principal, parseServicegwQuery(event.rawQueryString), snapshot, request)
    const headers = { 'cache-control': 'no-store', etag: tagOf(body), 'lease-id': lease }
    return event.headers['if-none-match'] === headers.etag
      ? { statusCode: 304, headers }
      : { statusCode: 200, headers: { ...headers, 'content-type': 'application/json' }, body }
  }
