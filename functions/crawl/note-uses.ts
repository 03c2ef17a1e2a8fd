import { compareUses, latestUses, type RecordedUse, useOfLease } from '../../shared/domain/use.ts'
import { sideBySide } from '../../shared/inventory/side-by-side.ts'
import type { DirectoryStore } from '../../shared/store/directory-store.ts'
import type { LeaseStore } from '../../shared/store/lease-store.ts'
import type { UseStore } from '../../shared/store/use-store.ts'
import type { Telemetry } from '../../shared/telemetry.ts'

/**
 * Notes what the leases of the last day were for. It reads the whole table of leases, off the path of those who wait for
 * an answer, and holds one entry for each use, never the leases.
 */
export type NoteUses = () => Promise<void>

export type NoteUsesDeps = {
  readonly directories: Pick<DirectoryStore, 'readPointer'>
  readonly leases: Pick<LeaseStore, 'readAll'>
  readonly uses: UseStore
  readonly telemetry: Telemetry
  readonly clock: () => Date
}

const writesAtATime = 16

export const createNoteUses =
  ({ directories, leases, uses, telemetry, clock }: NoteUsesDeps): NoteUses =>
  async () => {
    const now = clock()
    const { policy } = await directories.readPointer()
    let count = 0
    async function* said(): AsyncGenerator<RecordedUse> {
      for await (const lease of leases.readAll()) {
        count++
        yield useOfLease(lease, policy, now)
      }
    }
    const seen = await latestUses(said())
    const recorded: RecordedUse[] = []
    for await (const use of uses.list()) recorded.push(use)
    const { write, remove } = compareUses(recorded, seen, now)
    await sideBySide(write, writesAtATime, uses.write)
    await sideBySide(remove, writesAtATime, uses.remove)
    telemetry.info('uses noted', { leases: count, uses: seen.size, written: write.length, removed: remove.length })
  }
