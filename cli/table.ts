/** What a terminal may show of a cell. */
const shown = (cell: string): string => cell.replace(/\p{C}/gu, '?')

/** Columns as wide as their widest cell, the last one as it comes. */
export const renderTable = (head: readonly string[], rows: readonly (readonly string[])[]): readonly string[] => {
  const lines = [head.map((cell) => cell.toUpperCase()), ...rows.map((row) => row.map(shown))]
  const widths = head.map((_, column) => lines.reduce((most, line) => Math.max(most, line[column]?.length ?? 0), 0))
  return lines.map((line) =>
    line
      .map((cell, column) => (column === line.length - 1 ? cell : cell.padEnd(widths[column] ?? 0)))
      .join('  ')
      .trimEnd(),
  )
}
