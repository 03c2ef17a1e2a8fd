import type { DeadLetters } from '../shared/store/queue.ts'

export type RedriveDeps<M> = {
  readonly queue: { readonly send: (message: M) => Promise<void> }
  readonly deadLetters: DeadLetters<M>
  readonly report: (line: string) => void
}

/**
 * Queues again what a function gave up. A message says what to look at and never what to do, so one that is done late or twice
 * does no harm: it is sent before it is deleted. What is none of ours stays where it is.
 * @param of the function
 */
export const redrive = async <M>(of: string, { queue, deadLetters, report }: RedriveDeps<M>): Promise<void> => {
  let again = 0
  const foreign = new Set<string>()
  for (;;) {
    const letters = await deadLetters.receive()
    const isNew = letters.filter(({ id }) => !foreign.has(id))
    if (isNew.length === 0) break
    for (const { id, message, receiptHandle } of isNew) {
      if (message === undefined) {
        foreign.add(id)
        continue
      }
      await queue.send(message)
      await deadLetters.remove(receiptHandle)
      again += 1
      report(JSON.stringify(message))
    }
  }
  report(again === 0 ? `${of}: no dead letter of ours` : `${of}: ${again} queued again`)
  if (foreign.size > 0) report(`${of}: ${foreign.size} left: no messages of this version (${[...foreign].join(', ')})`)
}
