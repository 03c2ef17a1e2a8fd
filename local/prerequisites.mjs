/** What must be on the machine before anything can be installed into the project. Plain JavaScript: an old Node reads it. */

const at = (command, args) => ({ command, args })

export const prerequisites = [
  {
    name: 'Node.js',
    minimum: [20, 0],
    ...at(process.execPath, ['--version']),
    pattern: /v(\d+)\.(\d+)/,
    install: 'install Node.js 20 or newer (https://nodejs.org, `brew install node`, or your package manager)',
  },
  {
    name: 'Java (JDK)',
    minimum: [17, 0],
    ...at('java', ['-version']),
    pattern: /version "(?:1\.)?(\d+)(?:\.(\d+))?/,
    install: 'install a JDK 17 or newer (`apt install openjdk-17-jdk-headless`, `brew install openjdk@21`)',
  },
  {
    name: 'Maven',
    minimum: [3, 6],
    ...at('mvn', ['--version']),
    pattern: /Apache Maven (\d+)\.(\d+)/,
    install: 'install Maven 3.6 or newer (`apt install maven`, `brew install maven`)',
  },
  {
    name: 'Python',
    minimum: [3, 11],
    ...at('python3', ['--version']),
    pattern: /Python (\d+)\.(\d+)/,
    install: 'install Python 3.11 or newer as `python3` (`apt install python3 python3-venv`, `brew install python`)',
  },
  {
    name: "Python's venv module",
    partOf: 'Python',
    minimum: [0, 0],
    ...at('python3', ['-c', 'import venv, ensurepip; print("venv 0.0")']),
    pattern: /venv (\d+)\.(\d+)/,
    install: 'install the venv module of Python (`apt install python3-venv`)',
  },
]

/** The version in a tool's own words, as [major, minor]. */
export const parseVersion = (prerequisite, output) => {
  const found = prerequisite.pattern.exec(output)
  return found ? [Number(found[1]), Number(found[2] ?? 0)] : undefined
}

const isOlder = ([major, minor], [leastMajor, leastMinor]) =>
  major < leastMajor || (major === leastMajor && minor < leastMinor)

/** One line that says what is wrong with a prerequisite and what to install; undefined when it is fine. */
export const judgePrerequisite = (prerequisite, output) => {
  const version = output === undefined ? undefined : parseVersion(prerequisite, output)
  if (version === undefined) return `${prerequisite.name} is missing: ${prerequisite.install}`
  if (!isOlder(version, prerequisite.minimum)) return undefined
  return `${prerequisite.name} ${version.join('.')} is too old: ${prerequisite.install}`
}
