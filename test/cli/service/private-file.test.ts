import {
  chmodSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { writePrivateFile } from '../../../cli/service/private-file.ts'

let folder = ''
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'switchboard-private-'))
})
afterEach(() => {
  chmodSync(folder, 0o700)
  rmSync(folder, { recursive: true })
})

const modeOf = (path: string): number => statSync(path).mode & 0o777

test('a file is for its owner alone, and alone in its folder', async () => {
  const path = join(folder, 'client.properties')
  await writePrivateFile(path, 'acks=all\n')
  expect(readFileSync(path, 'utf8')).toBe('acks=all\n')
  expect(modeOf(path)).toBe(0o600)
  expect(readdirSync(folder)).toEqual(['client.properties'])
})

test('an older file is replaced, also one that everybody could read', async () => {
  const path = join(folder, 'client.properties')
  writeFileSync(path, 'old', { mode: 0o644 })
  await writePrivateFile(path, 'new')
  expect(readFileSync(path, 'utf8')).toBe('new')
  expect(modeOf(path)).toBe(0o600)
})

test('whoever reads meanwhile finds one text or the other, whole', async () => {
  const path = join(folder, 'client.properties')
  const texts = ['a', 'b'].map((letter) => letter.repeat(200_000))
  await writePrivateFile(path, texts[0] ?? '')
  const seen = new Set<string>()
  for (let round = 0; round < 20; round += 1) {
    const writing = writePrivateFile(path, texts[round % 2] ?? '')
    let done = false
    void writing.then(() => {
      done = true
    })
    while (!done) {
      seen.add(readFileSync(path, 'utf8'))
      await new Promise(setImmediate)
    }
  }
  expect([...seen].every((text) => texts.includes(text))).toBe(true)
})

describe('is refused, with nothing changed and nothing left behind', () => {
  test('a folder that is not there', async () => {
    await expect(writePrivateFile(join(folder, 'no', 'file'), 'secret')).rejects.toMatchObject({
      name: 'CommandError',
      exitCode: 1,
      message: `the folder \`${join(folder, 'no')}\` is not there; make it first`,
    })
    expect(readdirSync(folder)).toEqual([])
  })

  test('a folder below a file', async () => {
    writeFileSync(join(folder, 'file'), 'x')
    await expect(writePrivateFile(join(folder, 'file', 'other'), 'secret')).rejects.toThrow('is no folder')
  })

  // root may write everywhere
  test.skipIf(process.getuid?.() === 0)('a folder that is not ours to write in', async () => {
    writeFileSync(join(folder, 'old'), 'old')
    chmodSync(folder, 0o500)
    await expect(writePrivateFile(join(folder, 'old'), 'secret')).rejects.toThrow('cannot write in the folder')
    expect(readFileSync(join(folder, 'old'), 'utf8')).toBe('old')
    expect(readdirSync(folder)).toEqual(['old'])
  })

  test('a folder in place of a file', async () => {
    mkdirSync(join(folder, 'inner'))
    await expect(writePrivateFile(join(folder, 'inner'), 'secret')).rejects.toThrow('is no file')
    expect(readdirSync(join(folder, 'inner'))).toEqual([])
  })

  test.each(['there', 'nowhere'])('a link to %s', async (target) => {
    writeFileSync(join(folder, 'there'), 'theirs')
    symlinkSync(join(folder, target), join(folder, 'link'))
    await expect(writePrivateFile(join(folder, 'link'), 'secret')).rejects.toThrow('is a link; name the file itself')
    expect(readFileSync(join(folder, 'there'), 'utf8')).toBe('theirs')
    expect(readdirSync(folder).sort()).toEqual(['link', 'there'])
  })

  test.runIf(process.platform === 'linux')('a file system where nobody writes', async () => {
    await expect(writePrivateFile('/sys/switchboard', 'secret')).rejects.toThrow('cannot write in the folder `/sys`')
  })

  test('a place in the system that is no file', async () => {
    await expect(writePrivateFile('/dev/null', 'secret')).rejects.toThrow('`/dev/null` is no file')
    await expect(writePrivateFile('/', 'secret')).rejects.toThrow('is no file')
  })
})
