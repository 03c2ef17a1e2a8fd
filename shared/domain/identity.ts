import { isPrincipalName, type Principal } from './principal.ts'

export type SignatureAlgorithm = 'RS256' | 'ES256' | 'ES384' | 'EdDSA'

/** Rule 1: the first identity rule that matches names the principal. */
export type IdentityRule = {
  readonly issuer: string
  readonly audience: string
  readonly jwksUri: string | undefined
  readonly algorithms: readonly SignatureAlgorithm[]
  /** Conditions on claims: equal to the value, or to one of the values. */
  readonly claims: Readonly<Record<string, string | readonly string[]>>
  readonly principal: string
  readonly labels: Readonly<Record<string, string>>
}

export type Claims = Readonly<Record<string, unknown>>

const placeholder = /\{([^{}]+)\}/g
const maximumLabelLength = 256

/** `{sub}`, or a path through nested claims: `{kubernetes.io/namespace}`. A claim whose own name has a `/` is found too. */
export const claimValue = (claims: Claims, reference: string): unknown => {
  if (Object.hasOwn(claims, reference)) return claims[reference]
  for (const [name, value] of Object.entries(claims)) {
    if (!reference.startsWith(`${name}/`) || value === null || typeof value !== 'object' || Array.isArray(value))
      continue
    const found = claimValue(value as Claims, reference.slice(name.length + 1))
    if (found !== undefined) return found
  }
  return undefined
}

export const templateReferences = (template: string): readonly string[] =>
  [...template.matchAll(placeholder)].map((match) => match[1] ?? '')

/** Only strings fill a template: a number or a list where a name belongs names nobody. */
const fillTemplate = (template: string, claims: Claims): string | undefined => {
  let complete = true
  const text = template.replace(placeholder, (_, reference: string) => {
    const value = claimValue(claims, reference)
    if (typeof value === 'string' && value !== '') return value
    complete = false
    return ''
  })
  return complete ? text : undefined
}

const audienceMatches = (claims: Claims, audience: string): boolean =>
  claims.aud === audience || (Array.isArray(claims.aud) && claims.aud.includes(audience))

export const ruleMatches = (rule: IdentityRule, claims: Claims): boolean =>
  claims.iss === rule.issuer &&
  audienceMatches(claims, rule.audience) &&
  Object.entries(rule.claims).every(([reference, wanted]) => {
    const value = claimValue(claims, reference)
    return typeof value === 'string' && (typeof wanted === 'string' ? value === wanted : wanted.includes(value))
  })

export type NamedPrincipal =
  | { readonly outcome: 'named'; readonly principal: Principal }
  | { readonly outcome: 'unnamed'; readonly reason: string }

/** The principal of claims whose signature was verified for this rule. A label whose claim is missing is left out. */
export const namePrincipal = (rule: IdentityRule, index: number, claims: Claims): NamedPrincipal => {
  const name = fillTemplate(rule.principal, claims)
  if (name === undefined)
    return { outcome: 'unnamed', reason: `a claim of the template \`${rule.principal}\` is not a string` }
  if (!isPrincipalName(name)) return { outcome: 'unnamed', reason: 'the claims render no valid principal name' }
  const labels: Record<string, string> = {}
  for (const [key, template] of Object.entries(rule.labels)) {
    const value = fillTemplate(template, claims)
    if (value !== undefined && value.length <= maximumLabelLength) labels[key] = value
  }
  return { outcome: 'named', principal: { name, labels, identityRule: index } }
}
