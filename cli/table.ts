/** What a terminal may show of a cell. */
const shown = (cell: string): string => cell.replace(/\p{C}/gu, '?')

/** A name of 249 characters is no reason to move all other lines apart. */
const widest = 64

/** Columns as wide as their widest cell, up to a limit; the last one as it comes. */
export const renderTable = (head: readonly string[], rows: readonly (readonly string[])[]): readonly string[] => {
  const lines = [head.map((cell) => cell.toUpperCase()), ...rows.map((row) => row.map(shown))]
  const widths = head.map((_, column) =>
    lines.reduce((most, line) => Math.max(most, Math.min(widest, line[column]?.length ?? 0)), 0),
  )
  return lines.map((line) =>
    line
      .map((cell, column) => (column === line.length - 1 ? cell : cell.padEnd(widths[column] ?? 0)))
      .join('  ')
      .trimEnd(),
  )
}
