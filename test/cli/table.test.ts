import { expect, test } from 'vitest'
import { renderTable } from '../../cli/table.ts'

test('columns are as wide as their widest cell, and no line ends in white space', () => {
  expect(
    renderTable(
      ['a', 'name'],
      [
        ['12345', 'x'],
        ['1', ''],
      ],
    ),
  ).toEqual(['A      NAME', '12345  x', '1'])
})

test('a cell cannot steer the terminal', () => {
  expect(renderTable(['a'], [['x\u001b[2Jy\nz\u202e']])).toEqual(['A', 'x?[2Jy?z?'])
})

test('a name of hundreds of characters moves only its own line', () => {
  const [head, long, short] = renderTable(
    ['name', 'kind'],
    [
      ['x'.repeat(249), 'a'],
      ['y', 'b'],
    ],
  )

  expect(head?.indexOf('KIND')).toBe(66)
  expect(short?.indexOf('b')).toBe(66)
  expect(long).toBe(`${'x'.repeat(249)}  a`)
})
