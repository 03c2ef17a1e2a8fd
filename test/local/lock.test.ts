import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { isRunning, processStart, thisProcess, tryLock, withLock } from '../../local/lock.mjs'

let path = ''
beforeEach(() => {
  path = join(mkdtempSync(join(tmpdir(), 'lock-')), 'one.lock')
})
afterEach(() => rmSync(join(path, '..'), { recursive: true, force: true }))

const aDeadProcess = async () => {
  const child = spawn(process.execPath, ['-e', ''])
  const identity = { pid: child.pid ?? 0, startedAt: processStart(child.pid ?? 0) ?? 'gone' }
  await once(child, 'exit')
  return identity
}

test('who comes second is told who holds the lock', () => {
  expect(tryLock(path).release).toBeTypeOf('function')
  expect(tryLock(path).holder).toEqual(thisProcess())
})

test('a released lock is free again', () => {
  tryLock(path).release?.()
  expect(existsSync(path)).toBe(false)
  expect(tryLock(path).release).toBeTypeOf('function')
})

test('a holder that died does not block', async () => {
  writeFileSync(path, JSON.stringify(await aDeadProcess()))
  expect(tryLock(path).release).toBeTypeOf('function')
})

test('another process that got the same id later is not the holder', () => {
  writeFileSync(path, JSON.stringify({ pid: process.pid, startedAt: 'another boot/1' }))
  expect(tryLock(path).release).toBeTypeOf('function')
})

test('a process that ended is not running', async () => {
  expect(isRunning(await aDeadProcess())).toBe(false)
  expect(isRunning(thisProcess())).toBe(true)
})

test('work under one lock never overlaps', async () => {
  const trace: string[] = []
  const work = (name: string) =>
    withLock(
      path,
      () => {},
      async () => {
        trace.push(`${name} in`)
        await new Promise((resolve) => setImmediate(resolve))
        trace.push(`${name} out`)
      },
    )
  await Promise.all([work('a'), work('b')])
  expect(trace).toHaveLength(4)
  expect(trace[0]?.[0]).toBe(trace[1]?.[0])
})
