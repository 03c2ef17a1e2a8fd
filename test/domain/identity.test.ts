import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  type AwsRule,
  type Claims,
  claimValue,
  namePrincipal,
  type OidcRule,
  parseAssumedRole,
  roleMatches,
  ruleMatches,
} from '../../shared/domain/identity.ts'
import { isPrincipalName } from '../../shared/domain/principal.ts'

const aRule = (changes: Partial<OidcRule> = {}): OidcRule => ({
  kind: 'oidc',
  issuer: 'https://login.acme.com',
  audience: 'switchboard',
  jwksUri: undefined,
  algorithms: ['RS256'],
  claims: {},
  principal: '{sub}',
  labels: {},
  ...changes,
})

const claims = (changes: Claims = {}): Claims => ({
  iss: 'https://login.acme.com',
  aud: 'switchboard',
  sub: 'orders-api',
  ...changes,
})

const named = (rule: OidcRule, of: Claims) => {
  const found = namePrincipal(rule, 3, of)
  return found.outcome === 'named' ? found.principal : undefined
}

describe('rule 1: whether an identity rule matches', () => {
  it('takes the exact issuer and audience, alone or in a list', () => {
    expect(ruleMatches(aRule(), claims())).toBe(true)
    expect(ruleMatches(aRule(), claims({ aud: ['other', 'switchboard'] }))).toBe(true)
  })

  it.each([
    ['another issuer', { iss: 'https://login.acme.com/' }],
    ['no issuer', { iss: undefined }],
    ['another audience', { aud: 'switchboard2' }],
    ['no audience', { aud: undefined }],
    ['an empty list of audiences', { aud: [] }],
    ['an audience that is no text', { aud: { switchboard: true } }],
  ])('does not take %s', (_, changes) => {
    expect(ruleMatches(aRule(), claims(changes))).toBe(false)
  })

  it('takes a condition that is equal, or one of several', () => {
    const rule = aRule({ claims: { repository: 'acme/orders', ref: ['refs/heads/main', 'refs/heads/release'] } })
    expect(ruleMatches(rule, claims({ repository: 'acme/orders', ref: 'refs/heads/release' }))).toBe(true)
    expect(ruleMatches(rule, claims({ repository: 'acme/orders', ref: 'refs/heads/mine' }))).toBe(false)
    expect(ruleMatches(rule, claims({ repository: 'acme/orders' }))).toBe(false)
  })

  it('takes no list, number or truth where a condition wants a text', () => {
    const rule = aRule({ claims: { env: 'prod', n: '1', ok: 'true' } })
    expect(ruleMatches(rule, claims({ env: ['prod'], n: '1', ok: 'true' }))).toBe(false)
    expect(ruleMatches(rule, claims({ env: 'prod', n: 1, ok: 'true' }))).toBe(false)
    expect(ruleMatches(rule, claims({ env: 'prod', n: '1', ok: true }))).toBe(false)
  })
})

describe('rule 1: the name', () => {
  it('is the template filled with claims', () => {
    const rule = aRule({ principal: 'k8s.{kubernetes.io/namespace}.{kubernetes.io/serviceaccount/name}' })
    const of = claims({ 'kubernetes.io': { namespace: 'shop', serviceaccount: { name: 'orders' } } })
    expect(named(rule, of)).toEqual({ name: 'k8s.shop.orders', labels: {}, identityRule: 3 })
  })

  it('finds a claim whose own name has a slash before a path through others', () => {
    expect(claimValue({ 'a/b': 'own', a: { b: 'nested' } }, 'a/b')).toBe('own')
    expect(claimValue({ a: { b: 'nested' } }, 'a/b')).toBe('nested')
    expect(claimValue({ 'https://acme.com/team': 'x' }, 'https://acme.com/team')).toBe('x')
  })

  it('finds nothing that an object only inherits', () => {
    for (const reference of ['constructor', '__proto__', 'toString', 'a/constructor', 'a/__proto__'])
      expect(claimValue({ a: {} }, reference)).toBeUndefined()
  })

  it.each([
    ['a missing claim', { sub: undefined }],
    ['an empty claim', { sub: '' }],
    ['a number', { sub: 7 }],
    ['a list', { sub: ['orders-api'] }],
    ['an object', { sub: { toString: 'x' } }],
    ['a truth', { sub: true }],
    ['null', { sub: null }],
    ['a space', { sub: 'orders api' }],
    ['a line feed at the end', { sub: 'orders-api\n' }],
    ['a slash', { sub: 'a/b' }],
    ['a colon', { sub: 'repo:acme' }],
    ['a star', { sub: '*' }],
    ['a first dot', { sub: '.admin' }],
    ['64 characters', { sub: 'x'.repeat(64) }],
    ['a look-alike letter', { sub: '\u043erders-api' }],
    ['a placeholder of its own', { sub: '{aud}' }],
  ])('is nobody for %s', (_, changes) => {
    expect(named(aRule(), claims(changes))).toBeUndefined()
  })

  it('does not fill a claim into a claim', () => {
    expect(named(aRule({ principal: '{a}' }), claims({ a: '{b}', b: 'admin' }))).toBeUndefined()
    expect(named(aRule({ principal: 'x{a}' }), claims({ a: '$&' }))).toBeUndefined()
  })

  it('leaves out a label whose claim is missing, no text or too long', () => {
    const rule = aRule({ labels: { team: '{team}', env: '{env}', note: '{note}', site: 'eu-{site}' } })
    const of = claims({ team: 'payments', env: 5, note: 'x'.repeat(257), site: 'west' })
    expect(named(rule, of)?.labels).toEqual({ team: 'payments', site: 'eu-west' })
  })

  it('is a principal name or nobody, whatever the claims hold', () => {
    fc.assert(
      fc.property(fc.jsonValue(), fc.jsonValue(), (sub, team) => {
        const rule = aRule({ principal: 'acme.{sub}', labels: { team: '{team}' } })
        const principal = named(rule, claims({ sub, team }))
        if (principal === undefined) return
        expect(isPrincipalName(principal.name)).toBe(true)
        expect(principal.name).toBe(`acme.${sub}`)
        expect(Object.values(principal.labels).every((value) => value === team)).toBe(true)
      }),
    )
  })
})

describe('rule 1: a role of AWS', () => {
  const anAwsRule = (roleName: string, accountId = '111122223333'): AwsRule => ({
    kind: 'aws',
    accountId,
    roleName,
    principal: '{roleName}',
    labels: {},
  })
  const role = (roleName: string) => ({ accountId: '111122223333', roleName, sessionName: 'i-0a1b' })

  it('is the role of an assumed-role ARN', () => {
    expect(parseAssumedRole('arn:aws:sts::111122223333:assumed-role/svc-orders/i-0a1b')).toEqual(role('svc-orders'))
    expect(parseAssumedRole('arn:aws-cn:sts::111122223333:assumed-role/svc/i-1')?.roleName).toBe('svc')
  })

  it.each([
    'arn:aws:iam::111122223333:user/svc-orders',
    'arn:aws:iam::111122223333:role/svc-orders',
    'arn:aws:iam::111122223333:root',
    'arn:aws:sts::111122223333:federated-user/svc-orders',
    'arn:aws:sts::111122223333:assumed-role/svc-orders',
    'arn:aws:sts::111122223333:assumed-role/path/svc-orders/i-1',
    'arn:aws:sts::11112222333:assumed-role/svc-orders/i-1',
    'arn:aws:sts::111122223333:assumed-role/svc-orders/i-1\n',
    ' arn:aws:sts::111122223333:assumed-role/svc-orders/i-1',
    '',
  ])('is nobody for %j', (arn) => {
    expect(parseAssumedRole(arn)).toBeUndefined()
  })

  it('never matches in another account', () => {
    expect(roleMatches(anAwsRule('*', '999988887777'), role('svc-orders'))).toBe(false)
  })

  it('matches a star as a regular expression would', () => {
    const letters = fc.string({ unit: fc.constantFrom('a', 'b', '-'), maxLength: 8 })
    const pattern = fc.string({ unit: fc.constantFrom('a', 'b', '-', '*'), minLength: 1, maxLength: 6 })
    fc.assert(
      fc.property(pattern, letters, (wanted, name) => {
        const expression = new RegExp(`^${wanted.replaceAll('*', '.*')}$`)
        expect(roleMatches(anAwsRule(wanted), role(name))).toBe(expression.test(name))
      }),
      { numRuns: 2000 },
    )
  })
})
