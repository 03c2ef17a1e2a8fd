/** Time as the SDK sees it: `now` and timers come from one hand, so that a test can hold both. */
export type Clock = {
  readonly now: () => Date
  /**
   * Runs `task` once after `delayMs` and returns what cancels it. A `background` task does not keep the process alive.
   */
  readonly schedule: (delayMs: number, task: () => void, options?: { readonly background?: boolean }) => () => void
}

// Node runs a timer with a longer delay at once
const longestDelayMs = 2 ** 31 - 1

export const systemClock: Clock = {
  now: () => new Date(),
  schedule: (delayMs, task, { background = false } = {}) => {
    const timer = setTimeout(task, Math.min(delayMs, longestDelayMs))
    if (background) timer.unref()
    return () => clearTimeout(timer)
  },
}
