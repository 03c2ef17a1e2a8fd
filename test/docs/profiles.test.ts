import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { builtInProfiles } from '../../shared/domain/profile.ts'

const text = readFileSync(new URL('../../docs/profiles.md', import.meta.url), 'utf8')

type Row = { readonly role: string; readonly name: string; readonly value: string; readonly source: string }

/** Heading -> the rows of the tables below it that are about settings. */
const sections = new Map(
  text.split(/^## /m).map((section) => {
    const rows = [
      ...section.matchAll(/^\| (producer|consumer|both) \| `([^`]+)` \| `([^`]+)` \| [^|]+ \| ([^|]+) \|$/gm),
    ]
    return [
      section.split('\n')[0] ?? '',
      rows.map(([, role = '', name = '', value = '', source = '']): Row => ({ role, name, value, source })),
    ] as const
  }),
)

const documented = (heading: string, role: string): Record<string, string> =>
  Object.fromEntries(
    (sections.get(heading) ?? [])
      .filter((row) => row.role === role || row.role === 'both')
      .map((row) => [row.name, row.value]),
  )

describe('the document of profiles', () => {
  it.each(builtInProfiles)('has every value of $name of a $role and no other', ({ name, role, properties }) => {
    const values = Object.fromEntries(Object.entries(properties).map(([key, value]) => [key, String(value)]))
    expect({ ...documented('In every profile', role), ...documented(name, role) }).toEqual(values)
  })

  it('has a source for every value', () => {
    const rows = [...sections.values()].flat()
    expect(rows.length).toBeGreaterThan(20)
    for (const { name, source } of rows)
      expect([name, source]).toEqual([name, expect.stringMatching(/\[(K|L|C-[TLDA])\]|KIP-\d+/)])
  })
})
