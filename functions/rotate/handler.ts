import middy from '@middy/core'
import type { SQSBatchResponse, SQSEvent, SQSRecord } from 'aws-lambda'
import type { SigningKeyStore } from '../../shared/secrets/signing-key-store.ts'
import { parseMessage, type Queue } from '../../shared/store/queue.ts'
import { metricNames, type Telemetry } from '../../shared/telemetry.ts'
import type { ApplyAccess } from './apply-access.ts'

export type HandlerDeps = {
  readonly applyAccess: ApplyAccess
  readonly signingKeys: Pick<SigningKeyStore, 'ensure'>
  readonly queue: Pick<Queue, 'postpone'>
  readonly telemetry: Telemetry
  readonly clock: () => Date
}

type Job = { readonly records: readonly SQSRecord[]; readonly run: () => Promise<void> }

const maximumDelaySeconds = 60

/** 2, 4, 8, ... 60 s: a broker that restarts is tried again soon, one that is down is not hammered. */
const retryDelaySeconds = (record: SQSRecord): number =>
  Math.min(maximumDelaySeconds, 2 ** Number(record.attributes.ApproximateReceiveCount))

/**
 * Messages of one cluster are one job, so that its ACLs go in one request. A job that fails returns all of its messages:
 * FIFO order within the group is kept, and a job repeated is a no-op.
 */
export const createHandler = ({ applyAccess, signingKeys, queue, telemetry, clock }: HandlerDeps) => {
  const ensureKeys = async (): Promise<void> => {
    if (!(await signingKeys.ensure(clock()))) return
    telemetry.count(metricNames.keyCreated)
    telemetry.info('signing key created')
  }

  const jobsOf = (records: readonly SQSRecord[]): readonly Job[] => {
    const jobs: Job[] = []
    const keys: SQSRecord[] = []
    const clusters = new Map<string, { records: SQSRecord[]; principals: string[] }>()
    for (const record of records) {
      const message = parseMessage(record.body)
      if (message === undefined)
        jobs.push({ records: [record], run: () => Promise.reject(new Error('the message is not one of ours')) })
      else if (message.kind === 'ensure-keys') keys.push(record)
      else {
        const work = clusters.get(message.cluster) ?? { records: [], principals: [] }
        clusters.set(message.cluster, work)
        work.records.push(record)
        work.principals.push(message.principal)
      }
    }
    if (keys.length > 0) jobs.push({ records: keys, run: ensureKeys })
    for (const [cluster, work] of clusters)
      jobs.push({ records: work.records, run: () => applyAccess(cluster, work.principals) })
    return jobs
  }

  return middy<SQSEvent, SQSBatchResponse>()
    .use({ after: telemetry.flush, onError: telemetry.flush })
    .handler(async ({ Records }) => {
      const failed: SQSRecord[] = []
      for (const job of jobsOf(Records))
        try {
          await job.run()
        } catch (error) {
          failed.push(...job.records)
          telemetry.count(metricNames.messageFailed)
          telemetry.error('message failed', error, { messages: job.records.map(({ messageId }) => messageId) })
        }
      // without this a failed message, and with it its cluster, would wait for the whole visibility timeout
      await Promise.all(failed.map((record) => queue.postpone(record.receiptHandle, retryDelaySeconds(record))))
      return { batchItemFailures: failed.map(({ messageId }) => ({ itemIdentifier: messageId })) }
    })
}
