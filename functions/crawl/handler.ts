import middy from '@middy/core'
import type { SQSBatchResponse, SQSEvent } from 'aws-lambda'
import { type JobsDeps, runJobs } from './jobs.ts'

export type HandlerDeps = JobsDeps

export const createHandler = (deps: HandlerDeps) => {
  const { flush } = deps.telemetry
  return middy<SQSEvent, SQSBatchResponse>()
    .use({ after: flush, onError: flush })
    .handler(async ({ Records }, context) => {
      const failed = await runJobs(Records, deps, () => context.getRemainingTimeInMillis())
      return { batchItemFailures: failed.map(({ messageId }) => ({ itemIdentifier: messageId })) }
    })
}
