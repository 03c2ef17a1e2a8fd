import { expect, test } from 'vitest'
import { redrive } from '../../cli/redrive.ts'
import type { DeadLetter, Message } from '../../shared/store/queue.ts'

const access: Message = { kind: 'access', cluster: 'main', principal: 'billing' }

/** Hands out two at a time, and again whatever was not removed, as a queue does when nobody can wait that long. */
const run = async (bodies: readonly (Message | undefined)[], options: { sendFailsAt?: number } = {}) => {
  const letters = new Map<string, DeadLetter>(
    bodies.map((message, at) => [`handle-${at}`, { id: `id-${at}`, receiptHandle: `handle-${at}`, message }]),
  )
  const log: string[] = []
  const lines: string[] = []
  const done = redrive('rotate', {
    deadLetters: {
      receive: async () => [...letters.values()].slice(0, 2),
      remove: async (handle) => {
        log.push(`remove ${handle}`)
        letters.delete(handle)
      },
    },
    queue: {
      send: async (message) => {
        if (log.filter((line) => line.startsWith('send')).length === options.sendFailsAt) throw new Error('throttled')
        log.push(`send ${message.kind}`)
      },
    },
    report: (line) => lines.push(line),
  })
  return { done, log, lines, left: () => [...letters.keys()] }
}

test('dead letters are queued again, each before it is removed, and told', async () => {
  const { done, log, lines, left } = await run([access, { kind: 'ensure-keys' }, access])
  await done
  expect(log).toEqual([
    'send access',
    'remove handle-0',
    'send ensure-keys',
    'remove handle-1',
    'send access',
    'remove handle-2',
  ])
  expect(left()).toEqual([])
  expect(lines[0]).toBe('{"kind":"access","cluster":"main","principal":"billing"}')
  expect(lines.at(-1)).toBe('rotate: 3 queued again')
})

test('what is none of ours stays, is named, and holds up nothing', async () => {
  const { done, lines, left } = await run([undefined, access, access])
  await done
  expect(left()).toEqual(['handle-0'])
  expect(lines.slice(-2)).toEqual(['rotate: 2 queued again', 'rotate: 1 left: no messages of this version (id-0)'])
})

test('a dead letter that cannot be queued is not lost', async () => {
  const { done, left } = await run([access, access], { sendFailsAt: 1 })
  await expect(done).rejects.toThrow('throttled')
  expect(left()).toEqual(['handle-1'])
})

test('nothing to do is said', async () => {
  const { done, lines } = await run([])
  await done
  expect(lines).toEqual(['rotate: no dead letter of ours'])
})
