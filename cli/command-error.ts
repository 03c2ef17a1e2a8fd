/** 1: refused or failed; 2: the words are not right; 3: `drift` cannot tell. */
export type ExitCode = 1 | 2 | 3

/** A failure that the person at the terminal can act on: one line that says what to do. */
export class CommandError extends Error {
  readonly exitCode: ExitCode

  constructor(message: string, exitCode: ExitCode = 1) {
    super(message)
    this.name = 'CommandError'
    this.exitCode = exitCode
  }
}
