import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import {
  CloudWatchLogsClient,
  type FilteredLogEvent,
  paginateDescribeLogGroups,
  paginateFilterLogEvents,
} from '@aws-sdk/client-cloudwatch-logs'
import { trustAuthority } from './emulator.ts'
import { rootCredentials } from './emulator-differences.ts'
import { isRunning } from './lock.mjs'
import type { StackRecord } from './state.ts'

const readLogs = async (client: CloudWatchLogsClient): Promise<string> => {
  const parts: string[] = []
  for await (const { logGroups = [] } of paginateDescribeLogGroups({ client }, {})) {
    for (const { logGroupName = '' } of logGroups) {
      const found: FilteredLogEvent[] = []
      for await (const { events = [] } of paginateFilterLogEvents({ client }, { logGroupName })) found.push(...events)
      if (found.length === 0) continue
      const ordered = found.toSorted((one, other) => (one.timestamp ?? 0) - (other.timestamp ?? 0))
      parts.push(`== ${logGroupName}`, ...ordered.map(({ message = '' }) => message.trimEnd()))
    }
  }
  return parts.join('\n')
}

/**
 * Writes what the functions said to CloudWatch Logs, which ends with the emulator, into a file.
 * @throws Error when the emulator does not answer
 */
export const saveFunctionLogs = async ({ runDirectory, processes }: StackRecord, file: string): Promise<void> => {
  const emulator = processes.find(({ name }) => name === 'emulator')
  if (emulator === undefined || !isRunning(emulator)) return
  const { GATEWAY_PORT, MINISTACK_REGION = '' } = emulator.command.env
  trustAuthority(readFileSync(join(runDirectory, 'ca.pem'), 'utf8'))
  const client = new CloudWatchLogsClient({
    region: MINISTACK_REGION,
    endpoint: `https://127.0.0.1:${GATEWAY_PORT}`,
    credentials: rootCredentials,
    // the emulator fails at times while functions write, as its dictionary has changed
    maxAttempts: 5,
    requestHandler: { connectionTimeout: 10_000, requestTimeout: 30_000, throwOnRequestTimeout: true },
  })
  writeFileSync(file, `${await readLogs(client)}\n`, { mode: 0o600 })
}
