/** A failure that a person can look into: where the log of what failed is. */
export class LocalError extends Error {
  readonly log: string | undefined

  constructor(message: string, log?: string) {
    super(message)
    this.name = 'LocalError'
    this.log = log
  }
}
