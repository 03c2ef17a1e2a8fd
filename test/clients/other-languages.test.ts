import { execFile } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, expect, test } from 'vitest'
import { installPython } from '../../local/install.ts'
import { root } from '../../local/paths.ts'
import { createTerminal } from '../../local/terminal.mjs'

// What is not written in TypeScript has tests of its own; here they run. Those of `sdk/java` run where its jar is built,
// in `msk-iam.test.ts`.

const run = promisify(execFile)
const folder = mkdtempSync(join(tmpdir(), 'other-languages-'))

afterAll(() => rmSync(folder, { recursive: true, force: true }))

test('the SDK for Python', async () => {
  const python = await installPython(createTerminal(process.stderr), new AbortController().signal)
  const tests = join(root, 'sdk/python/test')
  const { stderr } = await run(python, ['-B', '-m', 'unittest', 'discover', '-s', tests])
  expect(stderr).toMatch(/Ran \d\d tests/)
})

test('the logins of the simulated MSK and Confluent Cloud', async () => {
  const pom = join(root, 'local/java/pom.xml')
  await run('mvn', ['-B', '-q', '-f', pom, 'test', `-Dsimulated.build=${join(folder, 'providers')}`])
}, 300_000)
