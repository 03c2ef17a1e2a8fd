import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { root } from '../../local/paths.ts'

const guide = readFileSync(join(root, 'docs/cli.md'), 'utf8')
const entry = readFileSync(join(root, 'cli/switchboard.ts'), 'utf8')
const sources = readdirSync(join(root, 'cli/service')).map((name) =>
  readFileSync(join(root, 'cli/service', name), 'utf8'),
)

const namesIn = (text: string, expression: RegExp): readonly string[] =>
  [...new Set(text.match(expression) ?? [])].sort()

test('the guide of the command has the variables that the code has, and no other', () => {
  const variable = /\bSWITCHBOARD_[A-Z]+(?:_[A-Z]+)*\b/g
  // those of a role, and of what `exec` makes of them
  const ofRole = /^SWITCHBOARD_(PRODUCER|CONSUMER|PROPERTIES_FILE|LIBRDKAFKA_FILE)/
  const told = namesIn(guide, variable).filter((name) => !ofRole.test(name))
  const known = namesIn(sources.join('\n'), variable).filter(
    (name) => !ofRole.test(name) && name !== 'SWITCHBOARD_CLIENT_',
  )
  expect(told).toEqual(known)
  expect(guide).toContain('`SWITCHBOARD_PROPERTIES_FILE`')
  expect(guide).toContain('`SWITCHBOARD_LIBRDKAFKA_FILE`')
})

test('each option that services have is in the guide and in --help', () => {
  const [, options = ''] = /options: \{\n([\s\S]*?)\n {4}\},/.exec(
    readFileSync(join(root, 'cli/service/arguments.ts'), 'utf8'),
  ) ?? ['', '']
  const names = [...options.matchAll(/^ {6}'?([a-z-]+)'?: \{/gm)].map(([, name]) => `--${name}`)
  expect(names.length).toBeGreaterThan(10)
  expect(names.filter((name) => !guide.includes(name))).toEqual([])
  expect(names.filter((name) => !entry.includes(name))).toEqual([])
})

test('each command of the platform team is in the guide and in --help, as is each of its options', () => {
  const source = readFileSync(join(root, 'cli/operator.ts'), 'utf8')
  const commands = [...new Set([...source.matchAll(/command === '([a-z-]+)'/g)].map(([, name]) => name ?? ''))]
  expect(commands.length).toBeGreaterThan(12)
  expect(commands.filter((name) => !guide.includes(`\`${name}\``))).toEqual([])
  expect(commands.filter((name) => !new RegExp(`^  ${name}\\b`, 'm').test(entry))).toEqual([])
  const [, options = ''] = /options: \{\n([\s\S]*?)\n {4}\},/.exec(source) ?? []
  const names = [...options.matchAll(/^ {6}'?([a-z-]+)'?: \{/gm)].map(([, name]) => `--${name}`)
  expect(names.length).toBeGreaterThan(10)
  expect(names.filter((name) => !entry.includes(name))).toEqual([])
})
