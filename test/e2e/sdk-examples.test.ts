import { execFile } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, expect, test } from 'vitest'
import { mintWorkloadToken } from '../../local/issuer.ts'
import { nodeFile, root } from '../../local/paths.ts'
import { cleanEnvironment } from '../../local/processes.ts'
import { readStackState } from '../../local/state.ts'

const state = readStackState(process.env.SWITCHBOARD_TEST_STATE ?? '')
const folder = mkdtempSync(join(tmpdir(), 'switchboard-examples-'))
const RUN = randomUUID()

afterAll(() => rmSync(folder, { recursive: true }))

const run = async (example: string, principal: string): Promise<string> => {
  const tokenFile = join(folder, principal)
  writeFileSync(tokenFile, `${await mintWorkloadToken(state, { principal })}\n`, { mode: 0o600 })
  const { stdout } = await promisify(execFile)(nodeFile, [join(root, 'sdk/js/examples', example)], {
    env: cleanEnvironment({ SWITCHBOARD_URL: state.switchboard.url, WORKLOAD_TOKEN_FILE: tokenFile, RUN }),
    timeout: 60_000,
  })
  return stdout.trim()
}

test('the examples of the JavaScript SDK run as they are: one writes, the other reads it, and both end', async () => {
  expect(await run('produce.ts', 'orders-api')).toBe('wrote 10 orders to orders.created')
  expect(await run('consume.ts', 'billing')).toBe('read 10 orders from orders.created')
})
