import { isPrincipalName, type Principal } from './principal.ts'

export type SignatureAlgorithm = 'RS256' | 'ES256' | 'ES384' | 'EdDSA'

/** Rule 1: the first identity rule that matches names the principal. */
export type IdentityRule = OidcRule | AwsRule | ClientRule

/** A JWT of an OpenID Connect issuer. */
export type OidcRule = {
  readonly kind: 'oidc'
  readonly issuer: string
  readonly audience: string
  readonly jwksUri: string | undefined
  readonly algorithms: readonly SignatureAlgorithm[]
  /** Conditions on claims: equal to the value, or to one of the values. */
  readonly claims: Readonly<Record<string, string | readonly string[]>>
  readonly principal: string
  readonly labels: Readonly<Record<string, string>>
}

/** A role of AWS IAM, proven by SigV4 to the API. `*` stands for any part of a role's name; the account is literal. */
export type AwsRule = {
  readonly kind: 'aws'
  readonly accountId: string
  readonly roleName: string
  readonly principal: string
  readonly labels: Readonly<Record<string, string>>
}

/** A client id with a secret (RFC 6749 2.3.1), for what has no workload identity. The principal is the client id. */
export type ClientRule = {
  readonly kind: 'client'
  readonly client: string
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

export const ruleMatches = (rule: OidcRule, claims: Claims): boolean =>
  claims.iss === rule.issuer &&
  audienceMatches(claims, rule.audience) &&
  Object.entries(rule.claims).every(([reference, wanted]) => {
    const value = claimValue(claims, reference)
    return typeof value === 'string' && (typeof wanted === 'string' ? value === wanted : wanted.includes(value))
  })

export type NamedPrincipal =
  | { readonly outcome: 'named'; readonly principal: Principal }
  | { readonly outcome: 'unnamed'; readonly reason: string }

/** The principal of claims that were verified for this rule. A label whose claim is missing is left out. */
export const namePrincipal = (
  rule: Pick<OidcRule, 'principal' | 'labels'>,
  index: number,
  claims: Claims,
): NamedPrincipal => {
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

/** Who SigV4 proved, from `arn:aws:sts::<account>:assumed-role/<role>/<session>`; the role's path is not in it. */
export type AssumedRole = { readonly accountId: string; readonly roleName: string; readonly sessionName: string }

export const parseAssumedRole = (arn: string): AssumedRole | undefined => {
  const found = /^arn:aws[a-z-]*:sts::(\d{12}):assumed-role\/([\w+=,.@-]{1,64})\/([\w+=,.@-]{2,64})$/.exec(arn)
  if (found === null) return undefined
  const [, accountId = '', roleName = '', sessionName = ''] = found
  return { accountId, roleName, sessionName }
}

export const roleMatches = (rule: AwsRule, role: AssumedRole): boolean => {
  if (rule.accountId !== role.accountId) return false
  const parts = rule.roleName.split('*')
  const [first = '', ...rest] = parts
  if (rest.length === 0) return rule.roleName === role.roleName
  const last = rest.pop() ?? ''
  if (role.roleName.length < first.length + last.length) return false
  if (!role.roleName.startsWith(first) || !role.roleName.endsWith(last)) return false
  let middle = role.roleName.slice(first.length, role.roleName.length - last.length)
  for (const part of rest) {
    const at = middle.indexOf(part)
    if (at < 0) return false
    middle = middle.slice(at + part.length)
  }
  return true
}
