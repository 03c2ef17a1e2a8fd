import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { withLock } from './lock.mjs'
import { cacheFolder } from './paths.ts'
import type { Terminal } from './terminal.mjs'

const stamp = '.complete'

export const contentHash = (...parts: readonly string[]): string =>
  createHash('sha256').update(JSON.stringify(parts)).digest('hex').slice(0, 16)

/**
 * The folder of something that is built once per content and then only read. It is made in its final place, because
 * a Python venv and a Java class archive know their own path; the stamp is written last and the lock keeps two runs apart.
 */
export const cached = async (
  terminal: Terminal,
  { name, title, hash }: { readonly name: string; readonly title: string; readonly hash: string },
  build: (folder: string) => Promise<void>,
): Promise<string> => {
  const folder = join(cacheFolder, `${name}-${hash}`)
  const isComplete = () => existsSync(join(folder, stamp))
  if (isComplete()) return folder
  const onWait = ({ pid }: { readonly pid: number }) =>
    terminal.line(`… another run (process ${pid}) prepares: ${title}`)
  await withLock(join(cacheFolder, `${name}.lock`), onWait, async () => {
    if (isComplete()) return
    await terminal.step(title, async () => {
      // What an earlier run began and was stopped in; folders that are complete stay, a running stack may use them.
      for (const entry of readdirSync(cacheFolder)) {
        if (entry.startsWith(`${name}-`) && !existsSync(join(cacheFolder, entry, stamp))) {
          rmSync(join(cacheFolder, entry), { recursive: true, force: true })
        }
      }
      mkdirSync(folder, { recursive: true })
      await build(folder)
      writeFileSync(join(folder, stamp), '')
    })
  })
  return folder
}
