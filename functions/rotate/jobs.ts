import type { SQSRecord } from 'aws-lambda'
import { parseMessage, type Queue } from '../../shared/store/queue.ts'
import type { Telemetry } from '../../shared/telemetry.ts'
import type { ApplyAccess } from './apply-access.ts'

/** What some messages ask for together. A job that fails returns all of its messages; a job repeated is a no-op. */
export type Job = { readonly records: readonly SQSRecord[]; readonly run: () => Promise<void> }

export type JobsDeps = { readonly applyAccess: ApplyAccess; readonly ensureKeys: () => Promise<void> }

/** Messages of one cluster are one job, so that its ACLs go in one request, and FIFO order within the group is kept. */
export const jobsOf = (records: readonly SQSRecord[], { applyAccess, ensureKeys }: JobsDeps): readonly Job[] => {
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

const maximumDelaySeconds = 60

/** 2, 4, 8, ... 60 s: a broker that restarts is tried again soon, one that is down is not hammered. */
const retryDelaySeconds = (record: SQSRecord): number =>
  Math.min(maximumDelaySeconds, 2 ** Number(record.attributes.ApproximateReceiveCount))

/** Without this a failed message, and with it its cluster, would wait for the whole visibility timeout. */
export const postpone = async (
  records: readonly SQSRecord[],
  queue: Pick<Queue, 'postpone'>,
  telemetry: Telemetry,
): Promise<void> => {
  await Promise.all(
    records.map((record) =>
      queue
        .postpone(record.receiptHandle, retryDelaySeconds(record))
        .catch((error: unknown) => telemetry.error('message cannot be postponed', error)),
    ),
  )
}
