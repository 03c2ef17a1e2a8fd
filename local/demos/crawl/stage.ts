import type { StackState } from '../../state.ts'
import type { Operator } from '../operator.ts'
import type { Commands } from './commands.ts'

export type ScenarioOptions = {
  readonly state: StackState
  /** Says what happens. */
  readonly report: (line: string) => void
  readonly signal: AbortSignal
}

/** What every part of it works with. */
export type Stage = ScenarioOptions & { readonly operator: Operator; readonly commands: Commands }
