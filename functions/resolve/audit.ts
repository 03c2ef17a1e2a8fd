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

type Verdict =
  | { readonly outcome: 'allow'; readonly times: { readonly expiresAt: Date; readonly limit: string } }
  | { readonly outcome: 'deny'; readonly rule: number; readonly reason: string }

/** What was decided, as every audit event of a decision has it. */
export const verdict = (decision: Verdict, lease: string) =>
  decision.outcome === 'allow'
    ? {
        outcome: 'allow' as const,
        lease,
        expiresAt: decision.times.expiresAt.toISOString(),
        limit: decision.times.limit,
      }
    : { outcome: 'deny' as const, rule: decision.rule, reason: decision.reason }

/** Whom a credential is made for, and by which request. */
export type CredentialRequest = {
  readonly principal: string
  readonly lease: string
  readonly request: { readonly id: string; readonly tokenHash: string }
}

/** What every audit event of a credential has. */
export const credentialEvent = ({ principal, lease, request }: CredentialRequest) => ({
  event: 'credential' as const,
  requestId: request.id,
  tokenHash: request.tokenHash,
  principal,
  lease,
})

/** The caller gets one answer for every failure; the true reason is here. */
export const authenticationDenied = (event: APIGatewayProxyEventV2, reason: string | undefined): AuditEvent => ({
  event: 'authentication',
  requestId: event.requestContext.requestId,
  outcome: 'deny',
  tokenHash: tokenHash(event),
  ...(reason === undefined ? {} : { reason }),
})
