import { hash } from 'node:crypto'
import type { APIGatewayProxyEventV2 } from 'aws-lambda'
import type { AuditEvent } from '../../shared/telemetry.ts'

/** The id that the caller is told; an event that the gateway would never send has none. */
export const requestIdOf = (event: Partial<APIGatewayProxyEventV2> | null | undefined): string =>
  event?.requestContext?.requestId ?? 'unknown'

/** Tells requests with the same credential apart without holding it. */
export const authorizationHash = (authorization: string | undefined): string =>
  hash('sha256', authorization ?? '', 'hex')

export const tokenHash = (event: APIGatewayProxyEventV2): string => authorizationHash(event.headers.authorization)

/** The caller gets one answer for every failure; the true reason is here. */
export const authenticationDenied = (event: APIGatewayProxyEventV2, reason: string | undefined): AuditEvent => ({
  event: 'authentication',
  requestId: event.requestContext.requestId,
  outcome: 'deny',
  tokenHash: tokenHash(event),
  ...(reason === undefined ? {} : { reason }),
})
