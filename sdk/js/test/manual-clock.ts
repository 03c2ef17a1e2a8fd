import type { Clock } from '../src/clock.ts'

type Task = { readonly at: number; readonly run: () => void; readonly background: boolean }

/** Time that moves only when the test says so. */
export const createManualClock = (start = new Date('2026-11-21T10:00:00.000Z')) => {
  let time = start.getTime()
  const tasks = new Set<Task>()
  const clock: Clock = {
    now: () => new Date(time),
    schedule: (delayMs, run, { background = false } = {}) => {
      const task = { at: time + delayMs, run, background }
      tasks.add(task)
      return () => {
        tasks.delete(task)
      }
    },
  }
  const inOrder = (): Task[] => [...tasks].sort((a, b) => a.at - b.at)
  return {
    ...clock,
    /** Runs what is due on the way, in order. */
    advance: (ms: number): void => {
      const end = time + ms
      for (let [next] = inOrder(); next && next.at <= end; [next] = inOrder()) {
        time = Math.max(time, next.at)
        tasks.delete(next)
        next.run()
      }
      time = end
    },
    /** Moves time as a machine that was asleep sees it: timers are late. */
    jump: (ms: number): void => {
      time += ms
    },
    /** Moves to the next background task and no further, so that the time-outs it sets are not passed as well. */
    next: (): void => {
      const task = inOrder().find(({ background }) => background)
      if (!task) throw new Error('no background task waits')
      time = Math.max(time, task.at)
      tasks.delete(task)
      task.run()
    },
    /** Delays of what waits, soonest first. */
    delays: (kind: 'all' | 'background' = 'all'): number[] =>
      inOrder()
        .filter(({ background }) => kind === 'all' || background)
        .map(({ at }) => at - time),
  }
}

export type ManualClock = ReturnType<typeof createManualClock>

/** Lets real sockets do their part until the condition holds. */
export const until = async (condition: () => boolean, what: string): Promise<void> => {
  const deadline = performance.now() + 60_000
  while (!condition()) {
    if (performance.now() > deadline) throw new Error(`never happened: ${what}`)
    await new Promise((resolve) => setTimeout(resolve, 2))
  }
}
