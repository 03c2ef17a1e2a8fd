import { readFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'
import { parse } from 'yaml'
import * as z from 'zod'
import { policyJsonSchema, policySchemaFile } from '../../cli/policy-schema.ts'

const published = JSON.parse(readFileSync(policySchemaFile, 'utf8'))
const example = readFileSync('examples/policy.yaml', 'utf8')

test('the published schema is that of the code; `node cli/policy-schema.ts` writes it anew', () => {
  expect(published).toEqual(policyJsonSchema())
})

test('the published schema takes the example and refuses what the example does not say', () => {
  const schema = z.fromJSONSchema(published)
  const policy = parse(example)
  expect(schema.safeParse(policy).error).toBeUndefined()
  expect(schema.safeParse({ ...policy, bogus: 1 }).success).toBe(false)
  expect(schema.safeParse({ ...policy, routes: [{ channel: 5 }] }).success).toBe(false)
})

test('the example tells editors where the schema is', () => {
  const named = /^# yaml-language-server: \$schema=(.+)$/m.exec(example)?.[1] ?? ''
  expect(resolve('examples', named)).toBe(fileURLToPath(policySchemaFile))
})
