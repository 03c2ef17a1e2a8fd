/** One thing that was counted, and whether it is as it must be. */
export type Measure = {
  readonly part: string
  readonly name: string
  readonly value: string
  readonly isRight: boolean
  /** Of a time, which is longer on a machine that does other work beside it. */
  readonly isTime?: true
}

/** Everything that was counted. */
export type Outcome = { readonly measures: readonly Measure[]; readonly totals: Readonly<Record<string, number>> }

const count = (value: number): string => value.toLocaleString('en')

/** A number that must be 0. */
export const none = (part: string, name: string, found: number | readonly string[]): Measure => {
  const size = typeof found === 'number' ? found : found.length
  const first = typeof found === 'number' || size === 0 ? '' : `: ${found[0]}`
  return { part, name, value: `${count(size)}${first}`, isRight: size === 0 }
}

/** A number that must be so big. */
export const atLeast = (part: string, name: string, found: number, wanted: number): Measure => ({
  part,
  name,
  value: `${count(found)} (${count(wanted)} wanted)`,
  isRight: found >= wanted,
})

/** A number that must not be bigger. */
export const atMost = (part: string, name: string, found: number, allowed: number): Measure => ({
  part,
  name,
  value: `${count(found)} (at most ${count(allowed)})`,
  isRight: found <= allowed,
})

/** A time that must not be longer, in milliseconds. */
export const within = (part: string, name: string, foundMs: number, allowedMs: number): Measure => ({
  part,
  name,
  value: `${count(Math.round(foundMs))} ms (at most ${count(allowedMs)} ms)`,
  isRight: foundMs <= allowedMs,
  isTime: true,
})

const widthOf = (measures: readonly Measure[], key: 'part' | 'name'): number =>
  Math.max(...measures.map((measure) => measure[key].length))

/** A line for each measure; what is wrong begins with a cross. */
export const renderTable = ({ measures }: Outcome): readonly string[] => {
  const [part, name] = [widthOf(measures, 'part'), widthOf(measures, 'name')]
  return measures.map((each) =>
    `${each.isRight ? '✔' : '✖'} ${each.part.padEnd(part)}  ${each.name.padEnd(name)}  ${each.value}`.trimEnd(),
  )
}

export const wrongIn = ({ measures }: Outcome): readonly Measure[] => measures.filter(({ isRight }) => !isRight)

/** The whole in one line of counts. */
export const renderLine = (name: string, outcome: Outcome): string => {
  const counts = Object.entries(outcome.totals).map(([what, value]) => `${count(value)} ${what}`)
  return `${name}: ${[...counts, `${count(wrongIn(outcome).length)} of ${count(outcome.measures.length)} measures wrong`].join(', ')}`
}
