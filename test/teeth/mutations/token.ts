import type { Mutation } from '../mutation.ts'

const access = 'shared/domain/access.ts'
const reach = 'shared/domain/reach.ts'
const token = 'functions/resolve/token.ts'
const tokenEndpoint = 'functions/resolve/token-endpoint.ts'
const resolveTests = ['test/functions']

export const tokenMutations: readonly Mutation[] = [
  {
    name: 'rule 1: a denied principal gets tokens',
    edits: [{ file: reach, find: 'if (isRevoked(denied, principal.name))', replace: 'if (denied.length < 0)' }],
    tests: resolveTests,
  },
  {
    name: 'rule 2: a grant that has ended gives tokens',
    edits: [
      {
        file: reach,
        find: 'grantsOf(directory, principal).filter((grant) => !isExpired(grant, now))',
        replace: 'grantsOf(directory, principal)',
      },
    ],
    tests: resolveTests,
  },
  {
    name: 'rule 2: what a grant that has ended gave is remembered',
    edits: [{ file: token, find: 'known.validUntil > now', replace: 'known !== null' }],
    tests: resolveTests,
  },
  {
    name: 'rule 3: a cluster is reached by a route that an earlier one hides',
    edits: [{ file: access, find: 'if (isTaken(directory, principal, route, both)) continue', replace: '' }],
    tests: resolveTests,
  },
  {
    name: 'rule 4: there are tokens for a quarantined cluster',
    edits: [{ file: reach, find: ' || cluster.quarantined', replace: '' }],
    tests: resolveTests,
  },
  {
    name: 'rule 6: a token outlives one of the grants that it is for',
    edits: [{ file: reach, find: 'access.grants.flatMap(', replace: 'access.grants.slice(0, 1).flatMap(' }],
    tests: resolveTests,
  },
  {
    name: 'a cluster that is not the caller’s looks other than one that does not exist',
    edits: [
      {
        file: token,
        find: 'throw refusal(decision, request.cluster)',
        replace: 'throw refusal(decision, directory.clusters.has(cluster ?? "") ? request.cluster : undefined)',
      },
    ],
    tests: resolveTests,
  },
  {
    name: 'a token is handed out before all of its access is there',
    edits: [{ file: token, find: 'needed: access,', replace: 'needed: { ...access, acls: [] },' }],
    tests: resolveTests,
  },
  {
    name: 'access that other labels gave is taken for all of it',
    edits: [{ file: access, find: ' && hasLabels(applied.labels, needed.labels)', replace: '' }],
    tests: resolveTests,
  },
  {
    name: 'a token is handed out without a lease',
    edits: [{ file: token, find: '    await record(', replace: '    void record(' }],
    tests: resolveTests,
  },
  {
    name: 'each token is a lease of its own',
    edits: [{ file: token, find: 'request.instance ?? principal.name', replace: 'request.instance' }],
    tests: resolveTests,
  },
  {
    name: 'of a parameter that a form has twice the last one counts',
    edits: [{ file: 'shared/http/form.ts', find: 'if (seen.has(name))', replace: 'if (seen.has(text))' }],
    tests: ['test/http', 'test/functions'],
  },
  {
    name: 'a client proves itself in two ways at once',
    edits: [
      {
        file: tokenEndpoint,
        find: 'if (header !== undefined && secret !== undefined)',
        replace: 'if (header === secret && secret !== undefined)',
      },
    ],
    tests: resolveTests,
  },
  {
    name: 'an identity token is taken for the secret of a client',
    edits: [{ file: tokenEndpoint, find: ' && isBasic(header)', replace: '' }],
    tests: resolveTests,
  },
  {
    name: 'secrets may be in the URL of the token endpoint',
    edits: [{ file: tokenEndpoint, find: 'bodyParameters.has(name)', replace: "name === ''" }],
    tests: resolveTests,
  },
  {
    name: 'plan does not see what becomes of those who hold tokens',
    edits: [
      {
        file: 'cli/plan-moves.ts',
        find: 'return compareTokens(token.token, decideIn(current), decideIn(next))',
        replace: 'return compareTokens(token.token, decideIn(next), decideIn(next))',
      },
    ],
    tests: ['test/cli'],
  },
]
