import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { readStackState } from '../../local/state.ts'

// The tests send sweeps themselves, for a minute is long. That nobody needs to is seen in the log of the emulator, which
// writes a line for each message that it makes of a schedule. Unlike AWS it leaves `<aws.scheduler.scheduled-time>` as it
// stands, puts equal messages into the queue all the same, and asks nobody whether the schedule's role may send.

const { logDirectory, switchboard } = readStackState(process.env.SWITCHBOARD_TEST_STATE ?? '')
const queueName = switchboard.outputs.QueueUrl?.split('/').at(-1) ?? ''

const scheduledMessages = (): number =>
  readFileSync(join(logDirectory, 'emulator.log'), 'utf8')
    .split('\n')
    .filter((line) => line.includes(`EventBridge → SQS ${queueName}`)).length

test('the schedule of the stack asks for a sweep once a minute', async () => {
  expect(queueName).toMatch(/\.fifo$/)
  // the first comes a minute after the deploy, and the emulator looks every 10 seconds
  await expect.poll(scheduledMessages, { timeout: 75_000, interval: 1_000 }).toBeGreaterThan(0)
})
