/** The names that a template can render, as a row of characters: `anyOne` for one that is not known, `anyRest` for any number. */
export type NameShape = readonly (string | typeof anyOne | typeof anyRest)[]

export const anyOne = Symbol('any one character')
export const anyRest = Symbol('any number of characters')

/** `{reference}` stands for one or more characters; `known` has what a reference is sure to be, where `*` is open. */
export const nameShape = (template: string, known: Readonly<Record<string, string>> = {}): NameShape =>
  template.split(/(\{[^{}]+\})/).flatMap((part, index): NameShape => {
    if (index % 2 === 0) return [...part]
    const reference = part.slice(1, -1)
    const text = Object.hasOwn(known, reference) ? known[reference] : undefined
    return text === undefined ? [anyOne, anyRest] : [...text].map((char) => (char === '*' ? anyRest : char))
  })

/** The name, when there is only one. */
export const onlyName = (shape: NameShape): string | undefined =>
  shape.every((part) => typeof part === 'string') ? shape.join('') : undefined

/** What every name of the shape starts with. */
export const fixedStart = (shape: NameShape): string => {
  const open = shape.findIndex((part) => typeof part !== 'string')
  return shape.slice(0, open < 0 ? shape.length : open).join('')
}

/** Whether one text is a name of both. */
export const canMeet = (a: NameShape, b: NameShape): boolean => {
  const starts = [fixedStart(a), fixedStart(b)] as const
  if (!starts[0].startsWith(starts[1]) && !starts[1].startsWith(starts[0])) return false
  // row[j]: whether the rest of `a` and the rest of `b` from j on have a text in common
  let below: boolean[] = []
  for (let i = a.length; i >= 0; i--) {
    const row: boolean[] = []
    for (let j = b.length; j >= 0; j--) {
      const left = a[i]
      const right = b[j]
      if (left === undefined && right === undefined) row[j] = true
      else if (left === anyRest || right === anyRest) row[j] = below[j] === true || row[j + 1] === true
      else {
        const same =
          left !== undefined && right !== undefined && (left === right || left === anyOne || right === anyOne)
        row[j] = same && below[j + 1] === true
      }
    }
    below = row
  }
  return below[0] === true
}
