/** One measured number; without a limit it is only told. */
export type Figure = {
  readonly name: string
  readonly value: number
  readonly unit: string
  /** The largest value that is right. */
  readonly limit?: number
}

export type JudgedFigure = Figure & { readonly within: boolean }

export const judge = (figure: Figure): JudgedFigure => ({
  ...figure,
  within: figure.limit === undefined || figure.value <= figure.limit,
})

const digits = (value: number): string =>
  value >= 100 || Number.isInteger(value) ? String(Math.round(value)) : value.toPrecision(3)

export const renderTable = (figures: readonly JudgedFigure[]): string => {
  const rows = figures.map(({ name, value, unit, limit, within }) => [
    within ? ' ' : '!',
    name,
    digits(value),
    unit,
    limit === undefined ? '' : `<= ${digits(limit)}`,
  ])
  const widths = [0, 1, 2, 3, 4].map((column) => Math.max(...rows.map((row) => (row[column] ?? '').length)))
  return rows
    .map((row) =>
      row
        .map((cell, column) => (column === 2 ? cell.padStart(widths[column] ?? 0) : cell.padEnd(widths[column] ?? 0)))
        .join('  ')
        .trimEnd(),
    )
    .join('\n')
}
