import middy from '@middy/core'
import type { SQSBatchResponse, SQSEvent } from 'aws-lambda'
import type { Queue } from '../../shared/store/queue.ts'
import type { Telemetry } from '../../shared/telemetry.ts'
import type { ApplyAccess } from './apply-access.ts'
import type { Census } from './census.ts'
import { jobsOf, postpone, runJobs } from './jobs.ts'
import type { RevokeAccess } from './revoke-access.ts'
import type { RotateCredentials } from './rotate-credential.ts'
import type { RotateSigningKeys } from './rotate-signing-keys.ts'
import type { Sweep } from './sweep.ts'

export type HandlerDeps = {
  readonly applyAccess: ApplyAccess
  readonly revokeAccess: RevokeAccess
  readonly rotateCredentials: RotateCredentials
  readonly sweep: Sweep
  readonly census: Census
  readonly signingKeys: RotateSigningKeys
  readonly queue: Pick<Queue, 'postpone'>
  readonly telemetry: Telemetry
}

export const createHandler = (deps: HandlerDeps) => {
  const { queue, telemetry } = deps
  return middy<SQSEvent, SQSBatchResponse>()
    .use({ after: telemetry.flush, onError: telemetry.flush })
    .handler(async ({ Records }) => {
      const failed = await runJobs(jobsOf(Records, deps), telemetry)
      await postpone(failed, queue, telemetry)
      return { batchItemFailures: failed.map(({ messageId }) => ({ itemIdentifier: messageId })) }
    })
}
