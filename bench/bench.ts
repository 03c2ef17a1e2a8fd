// Measures what Switchboard promises about its speed, size and memory: a table, `.local/bench.json`, and with `--check` an
// exit code. Sections run one after the other, each in a process of its own.
import { mkdirSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { messageFrom } from './child.ts'
import { type Figure, judge, renderTable } from './figure.ts'

const sections = [
  'decide',
  'resolve',
  'client-file',
  'token',
  'dynamodb-requests',
  'directory',
  'bundle',
  'providers',
  'throughput',
  'rotation',
  'crawl',
] as const

const { values } = parseArgs({ options: { check: { type: 'boolean' }, only: { type: 'string' } } })
const chosen = sections.filter((section) => section.includes(values.only ?? ''))
if (chosen.length === 0) {
  console.error(`no section has \`${values.only}\` in its name, allowed: ${sections.join(', ')}`)
  process.exit(2)
}

const runner = fileURLToPath(new URL('run-section.ts', import.meta.url))
const environment = Object.fromEntries(Object.entries(process.env).map(([name, value]) => [name, value ?? '']))
const figures = []
for (const section of chosen) {
  // a section may start what a person's environment says where to find: Java, Python, a mirror
  const judged = (await messageFrom<readonly Figure[]>(runner, { args: [section], env: environment })).map(judge)
  figures.push(...judged)
  console.log(`${section}\n${renderTable(judged)}\n`)
}

const results = fileURLToPath(new URL('../.local/bench.json', import.meta.url))
mkdirSync(fileURLToPath(new URL('.', `file://${results}`)), { recursive: true })
writeFileSync(results, `${JSON.stringify(figures, null, 2)}\n`)

const outside = figures.filter(({ within }) => !within)
for (const { name, value, unit, limit } of outside)
  console.error(`outside its limit: ${name} is ${value} ${unit}, allowed: ${limit}`)
if (values.check === true && outside.length > 0) process.exitCode = 1
