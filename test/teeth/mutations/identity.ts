import type { Mutation } from '../mutation.ts'
import type { Edit } from '../working-copy.ts'

const authenticator = 'shared/identity/authenticator.ts'
const issuerKeys = 'shared/identity/issuer-keys.ts'
const identity = 'shared/domain/identity.ts'
const whoTests = ['test/identity', 'test/domain']

/** An error that a check throws is taken for a yes. */
const ignoring = (error: string): Edit => ({
  file: authenticator,
  find: '      if (error instanceof SwitchboardError) throw error',
  replace: `      if (error instanceof ${error}) return decodeJwt(token)
      if (error instanceof SwitchboardError) throw error`,
})

export const identityMutations: readonly Mutation[] = [
  {
    name: 'rule 1: a token made for any audience proves an identity',
    edits: [{ file: identity, find: '  audienceMatches(claims, rule.audience) &&\n', replace: '' }],
    tests: whoTests,
  },
  {
    name: 'rule 1: a token of any issuer proves an identity',
    edits: [
      { file: identity, find: '  claims.iss === rule.issuer &&\n', replace: '' },
      { file: authenticator, find: '.filter((rule) => rule.issuer === issuer)', replace: '' },
      { file: authenticator, find: '        issuer: source.issuer,\n', replace: '' },
    ],
    tests: whoTests,
  },
  {
    name: 'rule 1: claim conditions are not looked at',
    edits: [
      {
        file: identity,
        find: "    return typeof value === 'string' && (typeof wanted",
        replace: "    return true || typeof value === 'string' && (typeof wanted",
      },
    ],
    tests: whoTests,
  },
  {
    name: 'signatures of tokens are not verified',
    edits: [ignoring('errors.JWSSignatureVerificationFailed')],
    tests: whoTests,
  },
  { name: 'tokens that have expired are taken', edits: [ignoring('errors.JWTExpired')], tests: whoTests },
  {
    name: 'tokens are taken before their time',
    edits: [ignoring("errors.JWTClaimValidationFailed && error.claim === 'nbf'")],
    tests: whoTests,
  },
  {
    name: 'tokens without an end are taken',
    edits: [{ file: authenticator, find: "        requiredClaims: ['exp'],\n", replace: '' }],
    tests: whoTests,
  },
  {
    name: 'algorithms outside the identity rule are taken',
    edits: [
      {
        file: authenticator,
        find: '        algorithms: [...new Set(rules.flatMap((rule) => rule.algorithms))],\n',
        replace: '',
      },
      { file: authenticator, find: 'each.algorithms.some((one) => one === algorithm) && ', replace: '' },
    ],
    tests: whoTests,
  },
  {
    name: 'tokens that Switchboard made for Kafka prove an identity',
    edits: [{ file: authenticator, find: 'if (issuer === ownIssuer)', replace: 'if (issuer === undefined)' }],
    tests: whoTests,
  },
  {
    name: 'a remembered token outlives the keys of its issuer',
    edits: [{ file: authenticator, find: 'known.generation === generation && ', replace: '' }],
    tests: whoTests,
  },
  {
    name: 'a remembered token outlives its own end',
    edits: [
      {
        file: authenticator,
        find: ' &&\n  Number(claims.exp) + clockToleranceSeconds > now.getTime() / 1000',
        replace: '',
      },
    ],
    tests: whoTests,
  },
  {
    name: 'dates in a token may be beyond every calendar',
    edits: [{ file: authenticator, find: '      requireSaneDates(payload)\n', replace: '' }],
    tests: whoTests,
  },
  {
    name: 'any secret is right for a known client',
    edits: [
      {
        file: authenticator,
        find: "if (!matches || rule?.kind !== 'client')",
        replace: "if (rule?.kind !== 'client')",
      },
    ],
    tests: whoTests,
  },
  {
    name: 'a role of any AWS account matches',
    edits: [{ file: identity, find: 'if (rule.accountId !== role.accountId) return false', replace: '' }],
    tests: whoTests,
  },
  {
    name: 'unknown key ids are a storm of requests to the issuer',
    edits: [
      {
        file: issuerKeys,
        find: '    if (entry.pending === undefined && clock().getTime() - entry.attemptedAt < refetchMs) return\n',
        replace: '',
      },
    ],
    tests: whoTests,
  },
  {
    name: 'redirects of an issuer are followed',
    edits: [{ file: issuerKeys, find: "redirect: 'error'", replace: "redirect: 'follow'" }],
    tests: whoTests,
  },
  {
    name: 'an issuer may answer without end',
    edits: [{ file: issuerKeys, find: 'if (bytes > maximumBytes)', replace: 'if (bytes < 0)' }],
    tests: whoTests,
  },
  {
    name: 'an issuer may keep its keys on any origin',
    edits: [
      {
        file: issuerKeys,
        find: 'if (new URL(metadata.jwks_uri).origin !== new URL(issuer).origin)',
        replace: 'if (metadata.jwks_uri === issuer)',
      },
    ],
    tests: whoTests,
  },
]
