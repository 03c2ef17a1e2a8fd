import type * as z from 'zod'
import { quoted } from '../shared/domain/channel.ts'
import type { PolicyIssue } from '../shared/domain/policy.ts'
import { policyJsonSchema } from './policy-schema.ts'

/** `of: 'key'` when the name itself is wrong, not what it holds. */
export type SchemaIssue = PolicyIssue & { readonly of: 'key' | 'value' }

type JsonSchema = z.core.JSONSchema.JSONSchema
type ZodIssue = z.core.$ZodIssue
type Path = readonly PropertyKey[]

const policyAsJsonSchema = policyJsonSchema()

const isMap = (value: unknown): value is Record<string, unknown> =>
  value !== null && typeof value === 'object' && !Array.isArray(value)

const listedKeys = (keys: readonly string[]): string => keys.map(quoted).join(', ')

/** What was found, short enough for a line. */
const shown = (value: unknown): string => {
  if (value === undefined || value === null) return 'nothing'
  if (typeof value === 'string') return quoted(value)
  if (Array.isArray(value)) return value.length === 0 ? 'an empty list' : 'a list'
  if (isMap(value))
    return Object.keys(value).length === 0 ? 'an empty map' : `a map of ${listedKeys(Object.keys(value).slice(0, 8))}`
  return `\`${String(value)}\``
}

const at = (value: unknown, path: Path): unknown =>
  path.reduce<unknown>(
    (inside, key) =>
      Array.isArray(inside) || isMap(inside) ? (inside as Record<PropertyKey, unknown>)[key] : undefined,
    value,
  )

/** Of several forms the one that the value has begun to write. */
const formOf = (schema: JsonSchema, value: unknown): JsonSchema | undefined => {
  if (schema.anyOf === undefined) return schema
  const forms = schema.anyOf as readonly JsonSchema[]
  if (Array.isArray(value)) return forms.find(({ type }) => type === 'array')
  if (!isMap(value)) return undefined
  const present = (form: JsonSchema): number => (form.required ?? []).filter((key) => key in value).length
  const best = forms
    .filter(({ type }) => type === 'object')
    .reduce<JsonSchema | undefined>((a, b) => (a !== undefined && present(a) >= present(b) ? a : b), undefined)
  return best === undefined || present(best) === 0 ? undefined : best
}

const schemaAt = (policy: unknown, path: Path): JsonSchema | undefined => {
  let schema: JsonSchema | undefined = policyAsJsonSchema
  for (const [index, key] of path.entries()) {
    const form: JsonSchema | undefined = schema && formOf(schema, at(policy, path.slice(0, index)))
    const next: unknown =
      typeof key === 'number' ? form?.items : (form?.properties?.[String(key)] ?? form?.additionalProperties)
    schema = isMap(next) ? next : undefined
  }
  return schema
}

const typeNames: Readonly<Record<string, string>> = {
  string: 'a text',
  number: 'a number',
  int: 'a whole number',
  boolean: '`true` or `false`',
  array: 'a list',
  object: 'a map',
  record: 'a map',
}

const typeName = (expected: string): string => typeNames[expected] ?? expected

const sizeOf = (issue: { readonly origin: string }, limit: string): string =>
  issue.origin === 'string'
    ? `${limit} characters`
    : issue.origin === 'array'
      ? `a list with ${limit} entries`
      : `a number of ${limit}`

/** What would have been right. */
const allowedBy = (issue: ZodIssue, found: unknown): string => {
  switch (issue.code) {
    case 'invalid_type':
      return issue.expected === 'string' && ['number', 'boolean'].includes(typeof found)
        ? `a text; write it in quotes, \`"${String(found)}"\``
        : typeName(issue.expected)
    case 'invalid_value':
      return issue.values.map((value) => `\`${String(value)}\``).join(' or ')
    case 'too_small':
      return sizeOf(issue, `at least ${issue.minimum}`)
    case 'too_big':
      return sizeOf(issue, `at most ${issue.maximum}`)
    case 'invalid_format':
      return issue.format === 'url' ? 'an absolute `https` URL' : issue.message
    default:
      return issue.message
  }
}

const describe = (issue: ZodIssue, policy: unknown, above: Path): readonly SchemaIssue[] => {
  const path = [...above, ...issue.path]
  const found = at(policy, path)
  switch (issue.code) {
    case 'unrecognized_keys': {
      const schema = schemaAt(policy, path)
      const known = Object.keys((schema && formOf(schema, found)?.properties) ?? {})
      return issue.keys.map((key) => ({
        path: [...path, key],
        of: 'key',
        detail: `got the unknown name ${quoted(key)}, allowed: ${listedKeys(known)}`,
      }))
    }
    case 'invalid_key':
      return [
        {
          path,
          of: 'key',
          detail: `got the name ${quoted(String(path.at(-1)))}, allowed: ${issue.issues[0]?.message ?? 'another name'}`,
        },
      ]
    case 'invalid_union': {
      const schema = schemaAt(policy, path)
      const forms = (schema?.anyOf ?? []) as readonly JsonSchema[]
      const form = schema && formOf(schema, found)
      const errors = form === undefined ? undefined : issue.errors[forms.indexOf(form)]
      if (errors !== undefined) return errors.flatMap((inner) => describe(inner, policy, path))
      const allowed = forms.map(({ type, required = [] }) =>
        type === 'object' && required.length > 0
          ? `a map with ${required.map(quoted).join(' and ')}`
          : typeName(String(type)),
      )
      return [{ path, of: 'value', detail: `got ${shown(found)}, allowed: ${[...new Set(allowed)].join(' or ')}` }]
    }
    default:
      return [{ path, of: 'value', detail: `got ${shown(found)}, allowed: ${allowedBy(issue, found)}` }]
  }
}

/** What the schema refuses, each with what was found and what is allowed. */
export const schemaIssues = (error: z.ZodError, policy: unknown): readonly SchemaIssue[] =>
  error.issues.flatMap((issue) => describe(issue as ZodIssue, policy, []))
