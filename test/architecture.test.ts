import { readdirSync, readFileSync } from 'node:fs'
import { dirname, join, posix, relative } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, test } from 'vitest'

const root = dirname(dirname(fileURLToPath(import.meta.url)))
const notOurs = new Set(['node_modules', '.git', '.local', 'cdk.out', 'coverage'])

type File = { readonly path: string; readonly text: string }

const walk = (folder: string): readonly string[] =>
  readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    if (notOurs.has(entry.name)) return []
    const path = join(folder, entry.name)
    if (entry.isDirectory()) return walk(path)
    return entry.isFile() ? [path] : []
  })

const files: readonly File[] = walk(root).map((path) => ({
  path: relative(root, path).replaceAll('\\', '/'),
  text: readFileSync(path, 'utf8'),
}))
const modules = files.filter(({ path }) => /\.m?[jt]s$/.test(path))

type Import = {
  /** A path from the root of the repository, or the name of a package. */
  readonly target: string
  readonly isOurs: boolean
  readonly isTypeOnly: boolean
}

const importsOf = ({ path, text }: File): readonly Import[] => {
  const statements = text.matchAll(/^[ \t]*(import|export)\s+(type\s)?(?:[^'";]*?\sfrom\s*)?['"]([^'"]+)['"]/gm)
  const calls = text.matchAll(/\bimport\(\s*()()['"]([^'"]+)['"]/g)
  return [...statements, ...calls].map(([, , type, specifier = '']) => {
    const isOurs = specifier.startsWith('.')
    const target = isOurs ? posix.join(posix.dirname(path), specifier) : specifier
    return { target, isOurs, isTypeOnly: Boolean(type) }
  })
}

const isUnder = (path: string, ...folders: readonly string[]): boolean =>
  folders.some((folder) => path.startsWith(`${folder}/`))

const adapters = ['store', 'secrets', 'clusters', 'inventory', 'identity', 'http']

/** `shared/store/queue.ts` -> `shared/store`, `functions/resolve/env.ts` -> `functions/resolve`. */
const moduleOf = (path: string): string => path.split('/').slice(0, 2).join('/')

/** Why an import is against the directions, or nothing. */
const directionProblem = (path: string, { target, isOurs, isTypeOnly }: Import): string | undefined => {
  if (isUnder(path, 'shared/domain')) {
    if (isOurs ? isUnder(target, 'shared/domain') : target === 'zod') return undefined
    return 'the domain imports only the domain and zod'
  }
  if (!isOurs) return undefined
  if (isUnder(target, 'test') && !isUnder(path, 'test')) return 'only tests import tests'
  if (isUnder(path, 'sdk')) return isUnder(target, 'sdk/js') ? undefined : 'the SDK knows the HTTP contract alone'
  if (isUnder(path, 'shared')) {
    if (!isUnder(target, 'shared')) return 'shared code knows nobody who uses it'
    const isAdapter = adapters.includes(moduleOf(path).slice('shared/'.length))
    if (!isAdapter && !isUnder(target, 'shared/domain')) return 'code beside the adapters imports only the domain'
    const others = adapters.map((name) => `shared/${name}`).filter((name) => name !== moduleOf(path))
    if (isUnder(target, ...others)) return 'adapters never import each other'
  }
  if (isUnder(path, 'functions')) {
    if (!isUnder(target, 'shared', moduleOf(path))) return 'a function imports shared code and itself'
    if (target === 'shared/store/memory.ts') return 'the memory stores are for tests and the bench'
  }
  if (isUnder(path, 'cli')) {
    if (!isUnder(target, 'shared', 'cli')) return 'the command imports shared code and itself'
    if (target === 'shared/store/memory.ts') return 'the memory stores are for tests and the bench'
  }
  if (isUnder(path, 'infra') && !isUnder(target, 'infra')) {
    const isEnvType = isTypeOnly && /^functions\/[^/]+\/env\.ts$/.test(target)
    if (!isEnvType) return 'infra imports nothing of a function but the type of its environment'
  }
  return undefined
}

const directionProblems = (all: readonly File[]): readonly string[] =>
  all.flatMap((file) =>
    importsOf(file).flatMap((each) => {
      const problem = directionProblem(file.path, each)
      return problem === undefined ? [] : [`${file.path} imports ${each.target}: ${problem}`]
    }),
  )

/** Where programs start; everything else is told what it needs. */
const isEntry = (path: string): boolean =>
  /^functions\/[^/]+\/index\.ts$/.test(path) ||
  path === 'cli/switchboard.ts' ||
  path === 'cli/stack.ts' ||
  path === 'cli/service/read-secret.ts' ||
  isUnder(path, 'local', 'bench', 'test', 'sdk/js/test', 'sdk/js/examples')

const wiringProblems = (all: readonly File[]): readonly string[] =>
  all
    .filter(({ path }) => !isEntry(path))
    .flatMap(({ path, text }) => [
      ...(/\bprocess\s*(\.|\?\.|\[)\s*['"]?env\b|\{[^}]*\benv\b[^}]*\}\s*=\s*process\b/.test(text)
        ? [`${path} reads the environment`]
        : []),
      ...(/\bnew\s+\w+Client\s*\(|DynamoDBDocumentClient\.from\(/.test(text) ? [`${path} builds an AWS client`] : []),
    ])

const impureDomain = (all: readonly File[]): readonly string[] =>
  all
    .filter(({ path }) => isUnder(path, 'shared/domain'))
    .filter(({ text }) =>
      /\bnew Date\(\)|\bDate\.now\b|\bMath\.random\b|\bperformance\.|\bprocess\.|\bfetch\(/.test(text),
    )
    .map(({ path }) => `${path} has a clock, chance or I/O`)

const publicEntries = ['sdk/js/src/index.ts']

const barrels = (all: readonly File[]): readonly string[] =>
  all
    .filter(({ path }) => !isUnder(path, 'test') && !publicEntries.includes(path))
    .filter(({ path, text }) => {
      const isIndex = /(^|\/)index\.\w+$/.test(path) && !/^functions\/[^/]+\/index\.ts$/.test(path)
      const statements = text.replaceAll(/^\s*(\/\/.*|\/?\*.*)$/gm, '').trim()
      const isAllReExports = /^(?:export\s[^'";]*?from\s*['"][^'"]+['"]\s*)+$/.test(statements)
      return isIndex || isAllReExports || /^export\s+\*/m.test(text)
    })
    .map(({ path }) => `${path} is a barrel`)

const runsOfStrangers = (all: readonly File[]): readonly string[] => {
  const runner = '(?:npx|bunx|pnpx|(?:npm|pnpm|yarn|bun)\\s+(?:exec|x|dlx))'
  const run = new RegExp(
    `${runner}\\s+(?:-\\S+\\s+)*(?:-p\\s+|--package[= ])?(?:@switchboard-kafka/\\S*|switchboard)\\b`,
  )
  return all.flatMap(({ path, text }) =>
    text
      .split('\n')
      .flatMap((line, index) => (run.test(line) ? [`${path}:${index + 1} runs a package of the registry`] : [])),
  )
}

const isExact = (version: unknown): boolean => /^\d+\.\d+\.\d+(-[\w.]+)?$/.test(String(version))

type Manifest = {
  readonly name?: string
  readonly private?: boolean
  readonly dependencies?: Readonly<Record<string, string>>
  readonly devDependencies?: Readonly<Record<string, string>>
  readonly optionalDependencies?: Readonly<Record<string, string>>
}

const manifestProblems = (all: readonly File[]): readonly string[] =>
  all
    .filter(({ path }) => posix.basename(path) === 'package.json')
    .flatMap(({ path, text }) => {
      const manifest: Manifest = JSON.parse(text)
      const pins = { ...manifest.dependencies, ...manifest.devDependencies, ...manifest.optionalDependencies }
      return [
        ...(manifest.private === true ? [] : [`${path} could be published`]),
        ...Object.entries(pins).flatMap(([name, version]) =>
          isExact(version) ? [] : [`${path} pins ${name} to \`${version}\``],
        ),
      ]
    })

type LockedPackage = {
  readonly resolved?: string
  readonly integrity?: string
  readonly link?: boolean
  readonly inBundle?: boolean
}

const lockProblems = (all: readonly File[]): readonly string[] =>
  all
    .filter(({ path }) => posix.basename(path) === 'package-lock.json')
    .flatMap(({ path, text }) => {
      const { packages }: { packages: Record<string, LockedPackage> } = JSON.parse(text)
      return Object.entries(packages).flatMap(([name, { resolved, integrity, link, inBundle }]) => [
        ...(/^\w+:\/\//.test(resolved ?? '') ? [`${path} says from which host ${name} comes`] : []),
        // links are folders of ours, and what is bundled is in the hash of its bundle
        ...(name.includes('node_modules/') && link !== true && inBundle !== true && integrity === undefined
          ? [`${path} has no hash of ${name}`]
          : []),
      ])
    })

const pythonProblems = (all: readonly File[]): readonly string[] =>
  all
    .filter(({ path }) => /(^|\/)requirements[\w-]*\.txt$/.test(path))
    .flatMap(({ path, text }) =>
      text
        .split('\n')
        .map((line) => line.replace(/#.*/, '').trim())
        .filter((line) => line !== '' && !/^[\w.-]+==[\w.]+( --hash=\S+)*$/.test(line))
        .map((line) => `${path} does not pin \`${line}\``),
    )

const handlerProblems = (all: readonly File[]): readonly string[] =>
  all
    .filter(({ path }) => /^functions\/[^/]+\/handler\.ts$/.test(path))
    .map(({ path, text }) => ({ path, lines: text.trimEnd().split('\n').length }))
    .filter(({ lines }) => lines > 40)
    .map(({ path, lines }) => `${path} has ${lines} lines`)

const rules = [
  { rule: 'imports go in one direction', find: directionProblems, among: modules },
  {
    rule: 'only where programs start is the environment read and an AWS client built',
    find: wiringProblems,
    among: modules,
  },
  { rule: 'the domain has no clock, no chance and no I/O', find: impureDomain, among: modules },
  { rule: 'there are no barrels but the entries of functions and of the SDK', find: barrels, among: modules },
  { rule: 'a handler has at most 40 lines', find: handlerProblems, among: modules },
  {
    rule: 'nothing tells anybody to run a package of our name from a registry',
    find: runsOfStrangers,
    among: files.filter(({ path }) => path !== 'test/architecture.test.ts'),
  },
  { rule: 'no package can be published by mistake, and each pins what it uses', find: manifestProblems, among: files },
  { rule: 'the lockfile holds hashes and no hosts', find: lockProblems, among: files },
  { rule: 'what Python runs is pinned', find: pythonProblems, among: files },
] as const

test.each(rules)('$rule', ({ find, among }) => {
  expect(find(among)).toEqual([])
})

describe('the rules above', () => {
  const file = (path: string, text: string): readonly File[] => [{ path, text }]

  test('look at what there is', () => {
    for (const path of [
      'shared/domain/decide.ts',
      'shared/store/lease-store.ts',
      'functions/resolve/handler.ts',
      'cli/switchboard.ts',
      'infra/switchboard.ts',
      'sdk/js/src/index.ts',
      'local/bootstrap.mjs',
    ])
      expect(modules.map((each) => each.path)).toContain(path)
    const decide = files.find(({ path }) => path === 'shared/domain/decide.ts') ?? { path: '', text: '' }
    expect(importsOf(decide).map(({ target }) => target)).toContain('shared/domain/directory.ts')
    for (const name of ['package.json', 'cli/package.json', 'sdk/js/package.json', 'package-lock.json', 'README.md'])
      expect(files.map(({ path }) => path)).toContain(name)
  })

  test.each([
    { path: 'shared/domain/a.ts', text: "import { createHash } from 'node:crypto'" },
    { path: 'shared/domain/a.ts', text: "import {\n  type Lease,\n} from '../store/lease-store.ts'" },
    { path: 'shared/domain/a.ts', text: "import type { Lease } from '../store/lease-store.ts'" },
    { path: 'shared/domain/a.ts', text: "export * from '../telemetry.ts'" },
    { path: 'shared/domain/a.ts', text: "type A = import('../telemetry.ts').Telemetry" },
    { path: 'shared/store/a.ts', text: "import type { Queue } from '../secrets/a.ts'" },
    { path: 'shared/clusters/kafka/a.ts', text: "import '../../http/problem.ts'" },
    { path: 'shared/http/a.ts', text: "const a = await import('../identity/authenticator.ts')" },
    { path: 'shared/identity/a.ts', text: "import { a } from '../../functions/resolve/resolve.ts'" },
    { path: 'shared/telemetry.ts', text: "import { a } from './store/queue.ts'" },
    { path: 'functions/resolve/a.ts', text: "import { a } from '../rotate/handler.ts'" },
    { path: 'functions/resolve/a.ts', text: "import { a } from '../../cli/apply.ts'" },
    { path: 'functions/resolve/index.ts', text: "import { a } from '../../shared/store/memory.ts'" },
    { path: 'cli/a.ts', text: "import { a } from '../functions/resolve/resolve.ts'" },
    { path: 'cli/a.ts', text: "import { a } from '../infra/app.ts'" },
    { path: 'sdk/js/src/a.ts', text: "import type { ResolveAnswer } from '../../../shared/http/connection.ts'" },
    { path: 'infra/a.ts', text: "import { parseResolveEnv } from '../functions/resolve/env.ts'" },
    { path: 'infra/a.ts', text: "import type { Resolve } from '../functions/resolve/resolve.ts'" },
    { path: 'local/a.ts', text: "import { aPolicy } from '../test/fixtures/policies.ts'" },
  ])('see a wrong direction in $path: $text', ({ path, text }) => {
    expect(directionProblems(file(path, text))).toHaveLength(1)
  })

  test.each([
    { path: 'shared/domain/a.ts', text: "import * as z from 'zod'\nimport { b } from './b.ts'" },
    { path: 'shared/store/a.ts', text: "import { b } from '../domain/b.ts'\nimport { c } from './c.ts'" },
    { path: 'functions/resolve/a.ts', text: "import { a } from '../../shared/http/problem.ts'" },
    { path: 'infra/a.ts', text: "import type { ResolveEnv } from '../functions/resolve/env.ts'" },
    { path: 'test/a.ts', text: "import { a } from '../shared/store/memory.ts'" },
    { path: 'shared/domain/a.ts', text: " * import { a } from '../store/queue.ts'" },
  ])('see nothing wrong in $path: $text', ({ path, text }) => {
    expect(directionProblems(file(path, text))).toEqual([])
  })

  test.each([
    { find: wiringProblems, path: 'shared/store/a.ts', text: 'const a = process.env.TABLE' },
    { find: wiringProblems, path: 'functions/resolve/a.ts', text: 'const { env } = process' },
    { find: wiringProblems, path: 'cli/apply.ts', text: 'const s = new SQSClient({})' },
    { find: wiringProblems, path: 'shared/a.ts', text: 'DynamoDBDocumentClient.from(client)' },
    { find: impureDomain, path: 'shared/domain/a.ts', text: 'const now = new Date()' },
    { find: impureDomain, path: 'shared/domain/a.ts', text: 'const jitter = Math.random()' },
    { find: barrels, path: 'shared/store/index.ts', text: "import { a } from './a.ts'" },
    {
      find: barrels,
      path: 'shared/store/all.ts',
      text: "// all\nexport { a } from './a.ts'\nexport { b } from './b.ts'\n",
    },
    { find: barrels, path: 'cli/a.ts', text: "export * from './b.ts'\nconst a = 1" },
    { find: handlerProblems, path: 'functions/resolve/handler.ts', text: 'a\n'.repeat(41) },
    { find: runsOfStrangers, path: 'README.md', text: 'run `npx switchboard apply`' },
    { find: runsOfStrangers, path: 'docs/a.md', text: 'npx --yes @switchboard-kafka/cli apply' },
    { find: runsOfStrangers, path: 'package.json', text: '"go": "npm exec -- switchboard apply"' },
    { find: manifestProblems, path: 'cli/package.json', text: '{}' },
    { find: manifestProblems, path: 'cli/package.json', text: '{"private":true,"dependencies":{"a":"^1.0.0"}}' },
    { find: manifestProblems, path: 'cli/package.json', text: '{"private":true,"devDependencies":{"a":"latest"}}' },
    {
      find: lockProblems,
      path: 'package-lock.json',
      text: '{"packages":{"node_modules/a":{"resolved":"https://host/a.tgz","integrity":"sha512-a"}}}',
    },
    { find: lockProblems, path: 'package-lock.json', text: '{"packages":{"node_modules/a":{"version":"1.0.0"}}}' },
    { find: pythonProblems, path: 'local/requirements.txt', text: 'ministack>=1.0 # any' },
  ])('find what is wrong in $path: $find.name (%#)', ({ find, path, text }) => {
    expect(find(file(path, text))).toHaveLength(1)
  })
})
