import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { parse } from 'yaml'
import { aclKey, computeAccess } from '../../shared/domain/access.ts'
import { decide } from '../../shared/domain/decide.ts'
import { compileDirectory, maximumRoutesOfPattern } from '../../shared/domain/directory.ts'
import { policySchema } from '../../shared/domain/policy.ts'
import { checkPolicy, maximumSearch } from '../../shared/domain/policy-checks.ts'
import { anIntent, aPolicy, aPrincipal, now } from '../fixtures/policies.ts'

const text = readFileSync(new URL('../../docs/policy.md', import.meta.url), 'utf8')

const blockOf = (info: string): string => {
  const [, body] = new RegExp(`^\`\`\`${info}\\n([\\s\\S]*?)^\`\`\`$`, 'm').exec(text) ?? expect.unreachable()
  return body ?? ''
}

const policy = policySchema.parse(aPolicy(parse(blockOf('yaml policy'))))
const { directory, issues } = compileDirectory(policy, 'sha256:test')
const application = aPrincipal('orders-enricher')
const topics = new Set<string>(JSON.parse(blockOf('json topics')))
const access = computeAccess(directory, 'main', application, topics, now)

test('the policy of a Streams application is accepted', () => {
  expect([...issues, ...checkPolicy(policy, directory)]).toEqual([])
})

test('it is allowed what it asks for, in a group of its own name, with its internal topics and no others', () => {
  const intent = anIntent(JSON.parse(blockOf('json intent')))
  const decision = decide(application, intent, { directory, denied: [], now, jitter: 0 })
  const connection = decision.outcome === 'allow' ? decision.connections[0] : expect.unreachable()
  const expressions = connection?.admissions.map((admission) =>
    admission.kind === 'channel' ? admission.topic : admission.expression,
  )

  expect(connection?.group).toBe('orders-enricher')
  expect(expressions).toEqual(['orders.enriched', 'orders-enricher-[^.]+', 'orders.created', 'orders-enricher-[^.]+'])
})

test('it has the access that is written there, and no other', () => {
  expect(access.map(aclKey)).toEqual(JSON.parse(blockOf('json access')))
})

test('the ids that Streams makes of its name are covered by its prefix, and those of its neighbours are not', () => {
  const prefix = access.find(({ resource }) => resource === 'transactional-id')
  const isCovered = (id: string): boolean => prefix?.pattern === 'prefixed' && id.startsWith(prefix.name)

  expect(isCovered('orders-enricher-0e6ad0c5-5b6a-4b7c-8a2e-6e2a3f0d9d11-1')).toBe(true)
  expect(isCovered('orders-enricher2-0e6ad0c5-5b6a-4b7c-8a2e-6e2a3f0d9d11-1')).toBe(false)
})

test('the bounds are those of the code', () => {
  const bounds = text.slice(text.indexOf('## What bounds'), text.indexOf('## Topics that'))
  expect(bounds).toContain(`at most ${maximumSearch} steps`)
  expect(bounds).toContain(`at most ${maximumRoutesOfPattern.toLocaleString('en')} routes`)
})
