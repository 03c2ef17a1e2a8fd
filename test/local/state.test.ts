import { mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import {
  parseStackRecord,
  readStackRecord,
  readStackState,
  type StackRecord,
  stateFileOf,
  writeStackRecord,
} from '../../local/state.ts'
import { aStack } from './a-stack.ts'

let folder = ''
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'state-'))
})
afterEach(() => rmSync(folder, { recursive: true, force: true }))

test('a state that is written reads back the same', () => {
  const state = { ...aStack(), runDirectory: folder }
  writeStackRecord(state)
  expect(readStackState(stateFileOf(folder))).toEqual(state)
})

test('only the owner of the file reads it, and nothing else is left beside it', () => {
  writeStackRecord({ ...aStack(), runDirectory: folder })
  expect(statSync(stateFileOf(folder)).mode & 0o777).toBe(0o600)
  expect(readdirSync(folder)).toEqual(['state.json'])
})

test('a stack that is still starting can be stopped but not used', () => {
  const { version, owner, processes } = aStack()
  const starting: StackRecord = { version, owner, processes, status: 'starting', runDirectory: folder }
  writeStackRecord(starting)
  expect(readStackRecord(stateFileOf(folder))?.processes).toEqual(processes)
  expect(() => readStackState(stateFileOf(folder))).toThrow('no stack is up')
})

test('a state file that is no state counts as none', () => {
  writeFileSync(stateFileOf(folder), '{"version":1,')
  expect(readStackRecord(stateFileOf(folder))).toBeUndefined()
})

test('a state of another version is refused', () => {
  expect(() => parseStackRecord(JSON.stringify({ ...aStack(), version: 2 }))).toThrow()
})
