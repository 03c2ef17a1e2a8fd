import { join } from 'node:path'
import { awsEnvironment } from './emulator.ts'
import { rootCredentials } from './emulator-differences.ts'
import { isRunning } from './lock.mjs'
import { root } from './paths.ts'
import { cleanEnvironment, runToExit } from './processes.ts'
import type { StackRecord } from './state.ts'

/** Writes what the functions said to CloudWatch Logs, which ends with the emulator, into a file; false when it could not. */
export const saveFunctionLogs = async ({ runDirectory, processes }: StackRecord, file: string): Promise<boolean> => {
  const emulator = processes.find(({ name }) => name === 'emulator')
  if (emulator === undefined || !isRunning(emulator)) return false
  const { GATEWAY_PORT = '', MINISTACK_REGION = '', MINISTACK_ACCOUNT_ID = '' } = emulator.command.env
  const aws = {
    endpointUrl: `https://127.0.0.1:${GATEWAY_PORT}`,
    region: MINISTACK_REGION,
    accountId: MINISTACK_ACCOUNT_ID,
    ...rootCredentials,
  }
  const code = await runToExit({
    name: 'function logs',
    file: emulator.command.file,
    args: [join(root, 'local/function-logs.py')],
    env: cleanEnvironment(awsEnvironment(aws, join(runDirectory, 'ca.pem'))),
    cwd: runDirectory,
    log: file,
  })
  return code === 0
}
