import type { APIGatewayProxyStructuredResultV2 } from 'aws-lambda'

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
