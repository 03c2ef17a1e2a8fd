import type { APIGatewayProxyEventV2, APIGatewayProxyStructuredResultV2 } from 'aws-lambda'
import { OAuthError, renderOAuthError, renderProblemAsOAuth } from '../../shared/http/oauth-error.ts'
import { asSwitchboardError, renderProblem } from '../../shared/http/problem.ts'
import { tokenPath } from '../../shared/http/token-answer.ts'
import { metricNames, type Telemetry } from '../../shared/telemetry.ts'
import { authenticationDenied, requestIdOf } from './audit.ts'
import { outageAsProblem } from './outage.ts'

/** Logs, counts and audits whatever was thrown, and says it in the words of the endpoint. */
export const refuse = (
  thrown: unknown,
  event: APIGatewayProxyEventV2,
  telemetry: Telemetry,
): APIGatewayProxyStructuredResultV2 => {
  const error = thrown instanceof OAuthError ? thrown : asSwitchboardError(outageAsProblem(thrown))
  const requestId = requestIdOf(event)
  const isOurs = error.code === 'internal' || error.cause === thrown
  telemetry.count(isOurs ? metricNames.failed : metricNames.refused)
  if (isOurs) telemetry.error('request failed', error, { requestId })
  else telemetry.info('request refused', { requestId, code: error.code, reason: error.reason ?? error.detail })
  if (error.code === 'unauthenticated') telemetry.audit(authenticationDenied(event, error.reason))
  if (error instanceof OAuthError) return renderOAuthError(error, requestId)
  // a wrong method is an error of HTTP, and no client of OAuth makes it
  return event?.rawPath === tokenPath && error.code !== 'method_not_allowed'
    ? renderProblemAsOAuth(error, requestId)
    : renderProblem(error, requestId)
}
