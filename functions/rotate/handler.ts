import middy from '@middy/core'
import type { SQSBatchResponse, SQSEvent, SQSRecord } from 'aws-lambda'
import type { SigningKeyStore } from '../../shared/secrets/signing-key-store.ts'
import type { Queue } from '../../shared/store/queue.ts'
import { metricNames, type Telemetry } from '../../shared/telemetry.ts'
import type { ApplyAccess } from './apply-access.ts'
import { jobsOf, postpone } from './jobs.ts'

export type HandlerDeps = {
  readonly applyAccess: ApplyAccess
  readonly signingKeys: Pick<SigningKeyStore, 'ensure'>
  readonly queue: Pick<Queue, 'postpone'>
  readonly telemetry: Telemetry
  readonly clock: () => Date
}

export const createHandler = ({ applyAccess, signingKeys, queue, telemetry, clock }: HandlerDeps) => {
  const ensureKeys = async (): Promise<void> => {
    if (!(await signingKeys.ensure(clock()))) return
    telemetry.count(metricNames.keyCreated)
    telemetry.info('signing key created')
  }
  return middy<SQSEvent, SQSBatchResponse>()
    .use({ after: telemetry.flush, onError: telemetry.flush })
    .handler(async ({ Records }) => {
      const failed: SQSRecord[] = []
      for (const job of jobsOf(Records, { applyAccess, ensureKeys }))
        await job.run().catch((error: unknown) => {
          failed.push(...job.records)
          telemetry.count(metricNames.messageFailed)
          telemetry.error('message failed', error, { messages: job.records.map(({ messageId }) => messageId) })
        })
      await postpone(failed, queue, telemetry)
      return { batchItemFailures: failed.map(({ messageId }) => ({ itemIdentifier: messageId })) }
    })
}
