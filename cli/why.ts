import { type CloudWatchLogsClient, paginateFilterLogEvents } from '@aws-sdk/client-cloudwatch-logs'
import { CommandError } from './command-error.ts'

/** One line of resolve's log about a request. */
type LogLine = {
  readonly timestamp?: string
  readonly message?: string
  readonly code?: string
  readonly reason?: string
  readonly requestId?: string
  readonly audit?: Readonly<Record<string, unknown>>
}

const parseLine = (text: string): LogLine | undefined => {
  try {
    const value: unknown = JSON.parse(text.slice(text.indexOf('{')))
    return value !== null && typeof value === 'object' ? value : undefined
  } catch {
    return undefined
  }
}

/** The true reason behind an answer, from the audit trail: what the caller was not told. */
export const why = async (
  requestId: string,
  logs: CloudWatchLogsClient,
  logGroupName: string,
  since: Date,
): Promise<readonly string[]> => {
  if (!/^[A-Za-z0-9_=/+-]{6,64}$/.test(requestId))
    throw new CommandError('a request id is what `x-request-id` or `instance` of an answer says', 2)
  const lines: LogLine[] = []
  const pages = paginateFilterLogEvents(
    { client: logs },
    { logGroupName, filterPattern: `"${requestId}"`, startTime: since.getTime() },
  )
  for await (const page of pages)
    for (const { message = '' } of page.events ?? []) {
      const line = parseLine(message)
      if (line?.requestId === requestId || line?.audit?.requestId === requestId) lines.push(line)
    }
  if (lines.length === 0)
    throw new CommandError(
      `the log has nothing of the request \`${requestId}\` since ${since.toISOString()}; look further back with --hours`,
    )
  return lines.map(({ timestamp = '', message = '', code, reason, audit }) => {
    const facts = Object.entries(audit ?? { code, reason })
      .filter(([key, value]) => value !== undefined && key !== 'requestId')
      .map(([key, value]) => `${key}=${Array.isArray(value) ? value.join(',') : String(value)}`)
    return `${timestamp} ${message}: ${facts.join(' ')}`
  })
}
