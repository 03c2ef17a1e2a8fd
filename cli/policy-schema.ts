import { writeFileSync } from 'node:fs'
import * as z from 'zod'
import { policyFileSchema } from '../shared/domain/policy.ts'

/** The policy as JSON Schema, for editors. What it cannot say, `switchboard plan` does. */
export const policyJsonSchema = (): z.core.JSONSchema.JSONSchema => ({
  ...z.toJSONSchema(policyFileSchema, { io: 'input' }),
  title: 'Switchboard policy',
  description: 'Who may use which Kafka channels, and where these channels are.',
})

/** Where it is published; `node cli/policy-schema.ts` writes it. */
export const policySchemaFile = new URL('../docs/policy.schema.json', import.meta.url)

if (import.meta.main) writeFileSync(policySchemaFile, `${JSON.stringify(policyJsonSchema(), null, 2)}\n`)
