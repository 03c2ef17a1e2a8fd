import middy from '@middy/core'
import type { APIGatewayProxyEventV2, APIGatewayProxyStructuredResultV2 } from 'aws-lambda'
import { asSwitchboardError, renderProblem } from '../../shared/http/problem.ts'
import { metricNames, type Telemetry } from '../../shared/telemetry.ts'
import { authenticationDenied, requestIdOf } from './audit.ts'
import { findEndpoint, type Routes } from './routes.ts'

/** The HTTP edge: one request in, one answer or problem out, whatever happens. */
export const createHandler = (routes: Routes, telemetry: Telemetry) =>
  middy<APIGatewayProxyEventV2, APIGatewayProxyStructuredResultV2>()
    // the first one used runs last
    .use({ after: telemetry.flush, onError: telemetry.flush })
    .use({
      onError: (request) => {
        const error = asSwitchboardError(request.error)
        const requestId = requestIdOf(request.event)
        const isOurs = error.code === 'internal'
        telemetry.count(isOurs ? metricNames.failed : metricNames.refused)
        if (isOurs) telemetry.error('request failed', error, { requestId })
        else telemetry.info('request refused', { requestId, code: error.code, reason: error.reason ?? error.detail })
        if (error.code === 'unauthenticated') telemetry.audit(authenticationDenied(request.event, error.reason))
        request.response = renderProblem(error, requestId)
      },
    })
    .use({
      after: (request) => {
        telemetry.count(metricNames.resolved)
        request.response = {
          ...request.response,
          headers: { ...request.response?.headers, 'x-request-id': request.event.requestContext.requestId },
        }
      },
    })
    .handler(async (event) => {
      const { requestId, http } = event.requestContext
      const { endpoint, parameter } = findEndpoint(routes, event.rawPath, http.method)
      return endpoint(event, requestId, parameter)
    })
