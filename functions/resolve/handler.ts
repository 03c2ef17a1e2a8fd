import middy from '@middy/core'
import type { APIGatewayProxyEventV2, APIGatewayProxyStructuredResultV2 } from 'aws-lambda'
import { metricNames, type Telemetry } from '../../shared/telemetry.ts'
import { inTime } from './outage.ts'
import { refuse } from './refuse.ts'
import { findEndpoint, type Routes } from './routes.ts'

/** The HTTP edge: one request in, one answer or problem out, whatever happens. */
export const createHandler = (routes: Routes, telemetry: Telemetry) =>
  middy<APIGatewayProxyEventV2, APIGatewayProxyStructuredResultV2>(inTime)
    // the first one used runs last
    .use({ after: telemetry.flush, onError: telemetry.flush })
    .use({
      onError: (request) => {
        request.response = refuse(request.error, request.event, telemetry)
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
