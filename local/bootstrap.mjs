// The first file that runs, on whatever Node the machine has: it checks the prerequisites, installs the npm packages
// with their exact pins and goes on under the Node that these packages bring.
import { execFile, spawn } from 'node:child_process'
import { existsSync, mkdirSync, openSync, readFileSync } from 'node:fs'
import { delimiter, dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { withLock } from './lock.mjs'
import { judgePrerequisite, prerequisites } from './prerequisites.mjs'
import { createTerminal } from './terminal.mjs'

const root = dirname(dirname(fileURLToPath(import.meta.url)))
const [command, ...rest] = process.argv.slice(2)
const terminal = createTerminal(process.stderr)

const readJson = (path) => {
  try {
    return JSON.parse(readFileSync(path, 'utf8'))
  } catch {
    return undefined
  }
}

/** npm writes down what it installed; that note is compared with what the lockfile asks for. */
const arePackagesInstalled = () => {
  const wanted = readJson(join(root, 'package-lock.json'))?.packages ?? {}
  const present = readJson(join(root, 'node_modules/.package-lock.json'))?.packages
  if (present === undefined || !existsSync(join(root, 'node_modules/.bin/node'))) return false
  return Object.entries(wanted).every(([path, entry]) => {
    if (!path.includes('node_modules/') || entry.link) return true
    const found = present[path]
    if (found === undefined) return entry.optional === true
    return found.version === entry.version && found.integrity === entry.integrity
  })
}

const output = ({ command: tool, args }) =>
  new Promise((resolve) => {
    const file = tool === 'java' && process.env.JAVA_HOME ? join(process.env.JAVA_HOME, 'bin/java') : tool
    execFile(file, args, { timeout: 60_000 }, (error, stdout, stderr) => {
      resolve(error ? undefined : `${stdout}\n${stderr}`)
    })
  })

const isPartOfMissing = ({ partOf }, judged) =>
  partOf !== undefined && judged[prerequisites.findIndex(({ name }) => name === partOf)] !== undefined

const checkPrerequisites = async () => {
  const outputs = await Promise.all(prerequisites.map(output))
  const judged = prerequisites.map((prerequisite, index) => judgePrerequisite(prerequisite, outputs[index]))
  // A part of a tool that has to be installed anyway is no second thing to do.
  const problems = judged.filter(
    (problem, index) => problem !== undefined && !isPartOfMissing(prerequisites[index], judged),
  )
  if (process.platform === 'win32') problems.push('Windows is not supported: use the Windows Subsystem for Linux')
  if (problems.length === 0) return
  for (const problem of problems) terminal.fail(problem)
  process.exit(1)
}

const installPackages = async () => {
  const folder = join(root, '.local')
  mkdirSync(folder, { recursive: true })
  const log = join(folder, 'npm-ci.log')
  const npm = /npm-cli\.[cm]?js$/.test(process.env.npm_execpath ?? '') ? process.env.npm_execpath : undefined
  const [file, ...args] = npm ? [process.execPath, npm] : ['npm']
  const onWait = ({ pid }) => terminal.line(`… another run (process ${pid}) installs the npm packages`)
  await withLock(join(folder, 'npm-ci.lock'), onWait, async () => {
    if (arePackagesInstalled()) return
    await terminal.step('npm packages (npm ci)', async () => {
      const descriptor = openSync(log, 'w')
      const child = spawn(file, [...args, 'ci', '--no-fund', '--no-audit', '--loglevel=error'], {
        cwd: root,
        stdio: ['ignore', descriptor, descriptor],
      })
      const code = await new Promise((resolve) => {
        child.on('error', () => resolve(127))
        child.on('exit', (status) => resolve(status ?? 1))
      })
      if (code !== 0 || !arePackagesInstalled()) {
        terminal.fail(`\`npm ci\` ended with ${code}; its log is ${log}`)
        process.exit(1)
      }
    })
  })
}

const main = async () => {
  if (Number(process.versions.node.split('.')[0]) < 20) {
    terminal.fail(judgePrerequisite(prerequisites[0], process.version))
    process.exit(1)
  }
  // `local env` and `local token` answer for a stack that is up: there everything has been checked before.
  if (command !== 'local') await checkPrerequisites()
  if (!arePackagesInstalled()) await installPackages()

  const bin = join(root, 'node_modules/.bin')
  const entry = command === 'teeth' ? ['test/teeth/teeth.ts'] : ['local/main.ts', command ?? '']
  const child = spawn(join(bin, 'node'), [...entry, ...rest], {
    cwd: root,
    env: { ...process.env, PATH: `${bin}${delimiter}${process.env.PATH ?? ''}` },
    // The channel lets the child notice that this process was killed, and stop what it started.
    stdio: ['inherit', 'inherit', 'inherit', 'ipc'],
  })
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => child.kill(signal))
  child.on('error', (error) => {
    terminal.fail(`the project's own Node does not start (${error.message}): remove node_modules and try again`)
    process.exit(1)
  })
  child.on('exit', (code, signal) => {
    process.exitCode = code ?? (signal === null ? 1 : 128)
  })
}

await main()
