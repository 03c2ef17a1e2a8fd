import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { parse } from 'yaml'
import { compileDirectory } from '../../shared/domain/directory.ts'
import { policySchema } from '../../shared/domain/policy.ts'
import { checkPolicy } from '../../shared/domain/policy-checks.ts'
import { resolveAnswerSchema } from '../../shared/http/answers.ts'
import { aPolicy } from '../fixtures/policies.ts'

const text = readFileSync(new URL('../../docs/schema-registry.md', import.meta.url), 'utf8')

const blockOf = (info: string): string =>
  new RegExp(`^\`\`\`${info}\\n([\\s\\S]*?)^\`\`\`$`, 'm').exec(text)?.[1] ?? expect.unreachable()

test('the policy is one that can be put in force', () => {
  const policy = policySchema.parse(aPolicy(parse(blockOf('yaml'))))
  const { directory, issues } = compileDirectory(policy, 'sha256:test')
  expect([...issues, ...checkPolicy(policy, directory)]).toEqual([])
})

test('what clients are told is what the contract has', () => {
  const { schemaRegistry } = resolveAnswerSchema.shape.connections.element.shape
  expect(schemaRegistry.safeParse(JSON.parse(blockOf('json')).schemaRegistry).error).toBeUndefined()
})
