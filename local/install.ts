import { execFileSync, spawnSync } from 'node:child_process'
import { mkdirSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { cached, contentHash } from './cache.ts'
import { localFolder, root } from './paths.ts'
import { javaCommand, runCommand } from './processes.ts'
import type { Terminal } from './terminal.mjs'

// Downloads go through whatever proxy, mirror and certificates the person's environment names.
const personsEnvironment = (): Record<string, string> =>
  Object.fromEntries(Object.entries(process.env).flatMap(([key, value]) => (value === undefined ? [] : [[key, value]])))

const installLog = (name: string): string => {
  mkdirSync(localFolder, { recursive: true })
  return join(localFolder, `install-${name}.log`)
}

/** The Python that has the emulator and a Kafka client; a venv in the project's own folder. */
export const installPython = async (terminal: Terminal, signal: AbortSignal): Promise<string> => {
  const requirements = join(root, 'local/requirements.txt')
  const identity = execFileSync('python3', ['-c', 'import sys; print(sys.version, sys.executable)'], {
    encoding: 'utf8',
  })
  const hash = contentHash(readFileSync(requirements, 'utf8'), identity)
  const log = installLog('python')
  const run = (name: string, file: string, args: readonly string[]) =>
    runCommand({ name, file, args, env: personsEnvironment(), cwd: root, log }, signal)
  const folder = await cached(
    terminal,
    { name: 'python', title: 'Python packages: AWS emulator, Kafka client', hash },
    async (target) => {
      await run('python3 -m venv', 'python3', ['-m', 'venv', target])
      await run('pip install', join(target, 'bin/python'), [
        ...['-m', 'pip', 'install', '--disable-pip-version-check', '--no-input', '--no-compile', '-r', requirements],
      ])
    },
  )
  return join(folder, 'bin/python')
}

/** Apache Kafka as Maven brings it: a class path in a fixed order, which the class archive depends on. */
export const installKafka = async (terminal: Terminal, signal: AbortSignal): Promise<string> => {
  const pom = join(root, 'local/kafka/pom.xml')
  const folder = await cached(
    terminal,
    { name: 'kafka', title: 'Apache Kafka jars', hash: contentHash(readFileSync(pom, 'utf8')) },
    (target) =>
      runCommand(
        {
          name: 'mvn dependency:copy-dependencies',
          file: 'mvn',
          args: ['-B', '-q', '-f', pom, 'dependency:copy-dependencies', `-DoutputDirectory=${join(target, 'jars')}`],
          env: personsEnvironment(),
          cwd: root,
          log: installLog('kafka'),
        },
        signal,
      ),
  )
  const jars = join(folder, 'jars')
  return readdirSync(jars)
    .filter((name) => name.endsWith('.jar'))
    .sort()
    .map((name) => join(jars, name))
    .join(':')
}

const filesBelow = (folder: string): readonly string[] =>
  readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
    .sort()

/** The classes with which a broker checks tokens as MSK and Confluent Cloud do, as one jar. */
export const installSimulatedProviders = async (terminal: Terminal, signal: AbortSignal): Promise<string> => {
  const module = join(root, 'local/java')
  const pom = join(module, 'pom.xml')
  const sources = [pom, ...filesBelow(join(module, 'src/main'))]
  const folder = await cached(
    terminal,
    {
      name: 'simulated-providers',
      title: 'logins of the simulated MSK and Confluent Cloud',
      hash: contentHash(...sources.map((file) => readFileSync(file, 'utf8')), javaIdentity()),
    },
    (target) =>
      runCommand(
        {
          name: 'mvn package',
          file: 'mvn',
          // what comes out belongs to the cache, and nothing of it into the sources
          args: ['-B', '-q', '-f', pom, 'package', '-Dmaven.test.skip', `-Dsimulated.build=${target}`],
          env: personsEnvironment(),
          cwd: root,
          log: installLog('simulated-providers'),
        },
        signal,
      ),
  )
  return join(folder, 'simulated-providers.jar')
}

/** What makes one Java runtime differ from another, as far as a class archive cares. */
export const javaIdentity = (): string => {
  const answer = spawnSync(javaCommand(), ['-XshowSettings:properties', '-version'], { encoding: 'utf8' })
  return ['java.home', 'java.vm.version', 'java.vm.name']
    .map((name) => new RegExp(`^\\s*${name} = (.*)$`, 'm').exec(answer.stderr)?.[1] ?? '')
    .join(' ')
}
