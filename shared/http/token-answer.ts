import type { APIGatewayProxyStructuredResultV2 } from 'aws-lambda'

/** Here clients expect the errors of RFC 6749 and no others. */
export const tokenPath = '/v1/token'

/** Where clients get tokens; RFC 6749 3.2 lets the endpoint have a query: it names the lease's instance. */
export const tokenEndpointUrl = (baseUrl: string, instance?: string): string =>
  `${baseUrl}${tokenPath}${instance === undefined ? '' : `?instance=${encodeURIComponent(instance)}`}`

/** The scope of a token for a cluster. */
export const scopeOf = (cluster: string): string => `kafka:${cluster}`

/** The body of `200` on `POST /v1/token` (RFC 6749 5.1); `expires_in` in seconds. */
export type TokenAnswer = {
  readonly access_token: string
  readonly token_type: 'Bearer'
  readonly expires_in: number
  readonly scope: string
}

export const renderTokenAnswer = (answer: TokenAnswer): APIGatewayProxyStructuredResultV2 => ({
  statusCode: 200,
  headers: { 'content-type': 'application/json', 'cache-control': 'no-store', pragma: 'no-cache' },
  body: JSON.stringify(answer),
})
