import { cpSync, mkdirSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { basename, join } from 'node:path'
import { LocalError } from '../../local/errors.ts'
import { root } from '../../local/paths.ts'

/** One exact text in one file, and what stands there instead. */
export type Edit = {
  readonly file: string
  readonly find: string
  readonly replace: string
}

const notCopied = new Set(['node_modules', '.git', '.local', 'cdk.out', 'coverage'])
const ownPackages = { '@switchboard-kafka/cli': 'cli', '@switchboard-kafka/client': 'sdk/js' }

/** A copy of the project that may be broken; packages are linked, but for the project's own. */
export const createWorkingCopy = (folder: string): void => {
  rmSync(folder, { recursive: true, force: true })
  mkdirSync(folder, { recursive: true })
  // entry by entry: Node refuses to copy a folder to a place below itself
  for (const entry of readdirSync(root).filter((name) => !notCopied.has(name)))
    cpSync(join(root, entry), join(folder, entry), {
      recursive: true,
      filter: (source) => !notCopied.has(basename(source)),
    })
  const packages = join(folder, 'node_modules')
  mkdirSync(join(packages, '@switchboard-kafka'), { recursive: true })
  for (const entry of readdirSync(join(root, 'node_modules')))
    if (entry !== '@switchboard-kafka' && !entry.startsWith('.vite'))
      symlinkSync(join(root, 'node_modules', entry), join(packages, entry))
  for (const [name, path] of Object.entries(ownPackages)) symlinkSync(join(folder, path), join(packages, name))
}

const edited = (text: string, { file, find, replace }: Edit, name: string): string => {
  const parts = text.split(find)
  if (parts.length !== 2)
    throw new LocalError(
      `the break \`${name}\` looks for a text that \`${file}\` has ${parts.length - 1} times, allowed: once\n${find}`,
    )
  return parts.join(replace)
}

/**
 * The files of a break as they would be with it.
 * @throws LocalError when a text to replace is not there exactly once: the product has moved on and the break has to follow
 */
export const renderBreak = (
  folder: string,
  { name, edits }: { readonly name: string; readonly edits: readonly Edit[] },
): ReadonlyMap<string, string> => {
  const files = new Map<string, string>()
  for (const edit of edits) {
    const text = files.get(edit.file) ?? readFileSync(join(folder, edit.file), 'utf8')
    files.set(edit.file, edited(text, edit, name))
  }
  return files
}

/**
 * All of them before any of them: a table that has rotted is not worth the time that it takes.
 * @throws LocalError naming every break that cannot be made
 */
export const requireBreaks = (
  folder: string,
  changes: readonly { readonly name: string; readonly edits: readonly Edit[] }[],
): void => {
  const problems = changes.flatMap((change) => {
    try {
      renderBreak(folder, change)
      return []
    } catch (error) {
      return [error instanceof Error ? error.message : 'failed']
    }
  })
  if (problems.length > 0) throw new LocalError(problems.join('\n'))
}

/** Breaks the copy while something runs, and mends it whatever comes. */
export const whileBroken = async <T>(
  folder: string,
  change: { readonly name: string; readonly edits: readonly Edit[] },
  run: () => Promise<T>,
): Promise<T> => {
  const broken = renderBreak(folder, change)
  const whole = [...broken.keys()].map((file) => [file, readFileSync(join(folder, file), 'utf8')] as const)
  try {
    for (const [file, text] of broken) writeFileSync(join(folder, file), text)
    return await run()
  } finally {
    for (const [file, text] of whole) writeFileSync(join(folder, file), text)
  }
}
