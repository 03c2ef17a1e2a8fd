import { randomBytes } from 'node:crypto'
import { chmod, lstat, open, rename, rm } from 'node:fs/promises'
import { basename, dirname, join, resolve } from 'node:path'
import { CommandError } from '../command-error.ts'

const codeOf = (error: unknown): string =>
  error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : 'unknown'

const refusal = (path: string, error: unknown): CommandError => {
  const folder = dirname(path)
  switch (codeOf(error)) {
    case 'ENOENT':
      return new CommandError(`the folder \`${folder}\` is not there; make it first`)
    case 'ENOTDIR':
      return new CommandError(`\`${folder}\` is no folder`)
    case 'EACCES':
    case 'EPERM':
    case 'EROFS':
      return new CommandError(`cannot write in the folder \`${folder}\` (${codeOf(error)}); choose another`)
    default:
      return new CommandError(`cannot write \`${path}\` (${codeOf(error)})`)
  }
}

/** A link could lead a secret anywhere, and replacing one would break it. */
const requireOrdinary = async (path: string): Promise<void> => {
  let found: Awaited<ReturnType<typeof lstat>>
  try {
    found = await lstat(path)
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return
    throw refusal(path, error)
  }
  if (found.isSymbolicLink()) throw new CommandError(`\`${path}\` is a link; name the file itself`)
  if (!found.isFile()) throw new CommandError(`\`${path}\` is no file`)
}

/**
 * Writes for the owner alone (mode 0600) and all at once: whoever reads the file finds it as it was or as it is to be,
 * also after a power cut. When it fails, an older file stays and nothing half-written lies beside it.
 * @throws CommandError
 */
export const writePrivateFile = async (path: string, text: string): Promise<void> => {
  const target = resolve(path)
  if (basename(target) === '') throw new CommandError(`\`${path}\` is no file`)
  await requireOrdinary(target)
  // in the same folder: a rename is atomic within one file system only
  const temporary = join(dirname(target), `.switchboard-${randomBytes(8).toString('hex')}`)
  try {
    const file = await open(temporary, 'wx', 0o600)
    try {
      await file.writeFile(text)
      await file.sync()
    } finally {
      await file.close()
    }
    await chmod(temporary, 0o600)
    await rename(temporary, target)
  } catch (error) {
    await rm(temporary, { force: true }).catch(() => undefined)
    throw refusal(target, error)
  }
  // the name is durable only when its folder is; some file systems cannot
  const folder = await open(dirname(target), 'r').catch(() => undefined)
  await folder?.sync().catch(() => undefined)
  await folder?.close()
}
