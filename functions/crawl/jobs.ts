import type { SQSRecord } from 'aws-lambda'
import { type CrawlQueue, parseCrawlMessage } from '../../shared/store/crawl-queue.ts'
import { metricNames, type Telemetry } from '../../shared/telemetry.ts'
import type { Crawl } from './crawl.ts'
import type { CrawlCluster } from './crawl-cluster.ts'
import type { ListClusters } from './list-clusters.ts'
import type { NoteUses } from './note-uses.ts'

export type JobsDeps = {
  readonly crawl: Crawl
  readonly listClusters: ListClusters
  readonly crawlCluster: CrawlCluster
  readonly noteUses: NoteUses
  readonly queue: Pick<CrawlQueue, 'postpone'>
  readonly telemetry: Telemetry
}

const run = async (
  { body }: SQSRecord,
  { crawl, listClusters, crawlCluster, noteUses }: JobsDeps,
  remainingMs: () => number,
): Promise<void> => {
  const message = parseCrawlMessage(body)
  if (message === undefined) throw new Error('the message is not one of ours')
  if (message.kind === 'crawl') return crawl()
  if (message.kind === 'list-clusters') return listClusters(message.source, message.accept)
  if (message.kind === 'note-uses') return noteUses()
  const { source, id, name, accept } = message
  return crawlCluster({ source, id }, { name, accept }, remainingMs)
}

const maximumDelaySeconds = 300

/** 2, 4, 8, ... 300 s */
const retryDelaySeconds = ({ attributes }: SQSRecord): number =>
  Math.min(maximumDelaySeconds, 2 ** Number(attributes.ApproximateReceiveCount))

/**
 * One after the other: each may hold a whole cluster in memory.
 * @returns the messages that failed; they come back
 */
export const runJobs = async (
  records: readonly SQSRecord[],
  deps: JobsDeps,
  remainingMs: () => number,
): Promise<readonly SQSRecord[]> => {
  const { queue, telemetry } = deps
  const failed: SQSRecord[] = []
  for (const record of records)
    try {
      await run(record, deps, remainingMs)
    } catch (error) {
      failed.push(record)
      telemetry.count(metricNames.messageFailed)
      telemetry.error('message failed', error, { messages: [record.messageId] })
      // without this it would wait for the whole visibility timeout
      await queue
        .postpone(record.receiptHandle, retryDelaySeconds(record))
        .catch((cause: unknown) => telemetry.error('message cannot be postponed', cause))
    }
  return failed
}
