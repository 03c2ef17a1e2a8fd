import type { Account } from '../ledger.ts'
import { atLeast, atMost, type Measure, none } from '../outcome.ts'

/** What must hold of the numbered records of a producer, through so many new clients. */
export const recordMeasures = (
  part: string,
  { acknowledged, lost, duplicates, readAgain, uncommitted, errors }: Account,
  { rebuilds, wanted }: { readonly rebuilds: readonly number[]; readonly wanted: number },
): readonly Measure[] => [
  atLeast(part, 'rotations that its clients went through', Math.min(...rebuilds), wanted),
  atLeast(part, 'records acknowledged', acknowledged, 100),
  none(part, 'acknowledged and never read', lost.length),
  none(part, 'in the topic twice', duplicates),
  // a group is divided anew when a member comes and when one goes
  atMost(part, 'read again', readAgain, 2 * uncommitted * rebuilds.reduce((sum, each) => sum + each + 1, 0)),
  none(part, 'errors of the application', errors),
]
