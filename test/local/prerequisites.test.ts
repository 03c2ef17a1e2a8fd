import { expect, test } from 'vitest'
import { judgePrerequisite, parseVersion, prerequisites } from '../../local/prerequisites.mjs'

const prerequisite = (name: string) => {
  const found = prerequisites.find((entry) => entry.name === name)
  if (found === undefined) throw new Error(`no prerequisite \`${name}\``)
  return found
}
const node = prerequisite('Node.js')
const java = prerequisite('Java (JDK)')
const maven = prerequisite('Maven')
const python = prerequisite('Python')

test.each([
  [java, 'openjdk version "17.0.15" 2025-04-15\nOpenJDK Runtime Environment (build 17.0.15+6)', [17, 0]],
  [java, 'openjdk version "25" 2025-09-16', [25, 0]],
  [java, 'java version "1.8.0_392"', [8, 0]],
  [maven, '\u001b[1mApache Maven 3.8.7\u001b[m\nMaven home: /usr/share/maven', [3, 8]],
  [python, 'Python 3.11.7\n', [3, 11]],
  [node, 'v20.20.2\n', [20, 20]],
])('$name says its version in its own way', (tool, output, version) => {
  expect(parseVersion(tool, output)).toEqual(version)
})

test('a tool that is not there is named with what to install', () => {
  const problem = judgePrerequisite(maven, undefined)
  expect(problem).toMatch(/^Maven is missing: install Maven 3\.6 or newer/)
})

test('a tool that runs but is none, such as the java of a Mac without a JDK, is missing', () => {
  expect(judgePrerequisite(java, 'The operation couldn’t be completed. Unable to locate a Java Runtime.')).toMatch(
    /^Java \(JDK\) is missing/,
  )
})

test('a tool that is too old is named with the version it has', () => {
  expect(judgePrerequisite(java, 'openjdk version "11.0.2"')).toMatch(
    /^Java \(JDK\) 11\.0 is too old: install a JDK 17/,
  )
  expect(judgePrerequisite(python, 'Python 3.9.18')).toMatch(/^Python 3\.9 is too old/)
})

test('the oldest version that is allowed is allowed', () => {
  expect(judgePrerequisite(python, 'Python 3.11.0')).toBeUndefined()
  expect(judgePrerequisite(java, 'openjdk version "17" 2021-09-14')).toBeUndefined()
})
