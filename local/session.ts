import { LocalError } from './errors.ts'
import type { Terminal } from './terminal.mjs'

/** A person's wish to stop, however it comes: Ctrl-C, a signal, a closed terminal, a killed npm. */
export type Session = { readonly signal: AbortSignal; readonly stopped: Promise<void> }

export class Stopped extends Error {
  override readonly name = 'Stopped'
}

export const openSession = (): Session => {
  const controller = new AbortController()
  const stop = () => controller.abort(new Stopped('stopped'))
  // The same Ctrl-C arrives several times: from the terminal, from npm and from bootstrap.mjs.
  for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(name, stop)
  process.on('disconnect', stop)
  // Whatever goes wrong unseen, what was started still has to be stopped.
  for (const name of ['uncaughtException', 'unhandledRejection'] as const) {
    process.on(name, (error) => controller.abort(error))
  }
  const stopped = new Promise<void>((resolve) => controller.signal.addEventListener('abort', () => resolve()))
  return { signal: controller.signal, stopped }
}

/** True when a person ended it; anything else that ended it is a failure. */
export const wasStopped = ({ signal }: Pick<Session, 'signal'>): boolean => signal.reason instanceof Stopped

/** Says which step failed and where to look. */
export const reportFailure = (terminal: Terminal, error: unknown): void => {
  const step = error instanceof Error && 'step' in error ? `${String(error.step)}: ` : ''
  terminal.line()
  terminal.fail(`${step}${error instanceof Error ? error.message : 'failed'}`)
  if (error instanceof LocalError && error.log !== undefined) terminal.line(`  its log: ${error.log}`)
}
