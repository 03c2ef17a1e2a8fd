import type { SQSRecord } from 'aws-lambda'
import { signingKeys as keysAt } from '../../shared/domain/signing-key.ts'
import { type Message, parseMessage, type Queue } from '../../shared/store/queue.ts'
import { metricNames, type Telemetry } from '../../shared/telemetry.ts'
import type { ApplyAccess } from './apply-access.ts'
import type { RevokeAccess } from './revoke-access.ts'
import type { RotateCredentials } from './rotate-credential.ts'
import type { RotateSigningKeys } from './rotate-signing-keys.ts'

/** What some messages ask for together. A job that fails returns all of its messages; a job repeated is a no-op. */
export type Job = {
  /** Jobs of one group are run one after the other; groups know nothing of each other. */
  readonly group: string
  readonly records: readonly SQSRecord[]
  readonly run: () => Promise<void>
}

export type JobsDeps = {
  readonly applyAccess: ApplyAccess
  readonly revokeAccess: RevokeAccess
  readonly rotateCredentials: RotateCredentials
  readonly signingKeys: RotateSigningKeys
  readonly sweep: () => Promise<void>
  readonly census: () => Promise<void>
}

type ClusterWork = { readonly records: SQSRecord[]; readonly access: string[]; readonly credentials: string[] }

/** Messages of one cluster are one job, so that its ACLs go in one request, and FIFO order within the group is kept. */
export const jobsOf = (
  records: readonly SQSRecord[],
  { applyAccess, revokeAccess, rotateCredentials, signingKeys, sweep, census }: JobsDeps,
): readonly Job[] => {
  const jobs: Job[] = []
  const keys: SQSRecord[] = []
  const sweeps: SQSRecord[] = []
  const censuses: SQSRecord[] = []
  const revocations: (Extract<Message, { kind: 'revocation' }> & { readonly record: SQSRecord })[] = []
  const clusters = new Map<string, ClusterWork>()
  const workOn = (cluster: string): ClusterWork => {
    const work = clusters.get(cluster) ?? { records: [], access: [], credentials: [] }
    clusters.set(cluster, work)
    return work
  }
  for (const record of records) {
    const message = parseMessage(record.body)
    if (message === undefined)
      jobs.push({
        group: keysAt.cluster,
        records: [record],
        run: () => Promise.reject(new Error('the message is not one of ours')),
      })
    else if (message.kind === 'ensure-keys') keys.push(record)
    else if (message.kind === 'rotate-keys')
      jobs.push({
        group: keysAt.cluster,
        records: [record],
        run: () => signingKeys.replace(message.kids, message.atOnce),
      })
    else if (message.kind === 'sweep') sweeps.push(record)
    else if (message.kind === 'census') censuses.push(record)
    else if (message.kind === 'revocation') revocations.push({ ...message, record })
    else {
      const work = workOn(message.cluster)
      work.records.push(record)
      if (message.kind === 'access') work.access.push(message.principal)
      else work.credentials.push(...(message.kind === 'credential' ? [message.principal] : message.principals))
    }
  }
  if (keys.length > 0)
    jobs.push({ group: keysAt.cluster, records: keys, run: async () => void (await signingKeys.ensure()) })
  if (sweeps.length > 0)
    jobs.push({
      group: keysAt.cluster,
      records: sweeps,
      run: async () => {
        await signingKeys.remind()
        await sweep()
      },
    })
  if (censuses.length > 0) jobs.push({ group: 'census', records: censuses, run: census })
  for (const [cluster, ofCluster] of Map.groupBy(revocations, ({ cluster }) => cluster))
    jobs.push({
      group: `revocations of ${cluster}`,
      records: ofCluster.map(({ record }) => record),
      run: () => revokeAccess(cluster, [...new Set(ofCluster.map(({ principal }) => principal))]),
    })
  for (const [cluster, work] of clusters)
    jobs.push({
      group: cluster,
      records: work.records,
      run: async () => {
        if (cluster === keysAt.cluster) return signingKeys.run()
        if (work.access.length > 0) await applyAccess(cluster, work.access)
        await rotateCredentials(cluster, [...new Set([...work.access, ...work.credentials])])
      },
    })
  return jobs
}

/**
 * Groups side by side: a cluster that is slow, or has much to do, holds up no other, and no revocation there.
 * @returns the messages of the jobs that failed
 */
export const runJobs = async (jobs: readonly Job[], telemetry: Telemetry): Promise<readonly SQSRecord[]> => {
  const failed: SQSRecord[] = []
  const run = async ({ records, run }: Job): Promise<void> => {
    try {
      await run()
    } catch (error) {
      failed.push(...records)
      telemetry.count(metricNames.messageFailed)
      telemetry.error('message failed', error, { messages: records.map(({ messageId }) => messageId) })
    }
  }
  await Promise.all(
    [...Map.groupBy(jobs, ({ group }) => group).values()].map(async (ofGroup) => {
      for (const job of ofGroup) await run(job)
    }),
  )
  return failed
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
        .postpone(record, retryDelaySeconds(record))
        .catch((error: unknown) => telemetry.error('message cannot be postponed', error)),
    ),
  )
}
