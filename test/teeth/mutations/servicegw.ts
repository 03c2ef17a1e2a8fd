import type { Mutation } from '../mutation.ts'

const leaseStore = 'shared/store/lease-store.ts'
const servicegw = 'functions/resolve/servicegw.ts'
const servicegwEndpoint = 'functions/resolve/servicegw-endpoint.ts'
const servicegwQuery = 'shared/http/servicegw-query.ts'
const servicegwTests = ['test/functions/resolve/servicegw.test.ts']
const servicegwQueryTests = ['test/http/servicegw-query.property.test.ts']

export const servicegwMutations: readonly Mutation[] = [
  {
    name: 'ancestor: channels of two clusters are answered with one of them',
    edits: [
      { file: servicegw, find: 'connection === undefined || other !== undefined', replace: 'connection === undefined' },
    ],
    tests: servicegwTests,
  },
  {
    name: 'ancestor: channels that end alike overwrite each other',
    edits: [{ file: servicegwQuery, find: '    ...collisionErrors(asked),\n', replace: '' }],
    tests: [...servicegwTests, ...servicegwQueryTests],
  },
  {
    name: 'ancestor: who sends a parameter twice gets the last one',
    edits: [{ file: servicegwQuery, find: '    if (known.has(key))', replace: '    if (key.length > 1000)' }],
    tests: servicegwQueryTests,
  },
  {
    name: 'ancestor: `+` stays a plus',
    edits: [{ file: 'shared/http/form.ts', find: "text.replaceAll('+', ' ')", replace: 'text' }],
    tests: servicegwQueryTests,
  },
  {
    name: 'ancestor: everybody consumes unless they say otherwise',
    edits: [
      { file: servicegw, find: '  if (role !== undefined) return role\n', replace: "  return role ?? 'consumer'\n" },
    ],
    tests: servicegwTests,
  },
  {
    name: 'ancestor: an answer before its access is on the cluster',
    edits: [{ file: servicegw, find: '    await requireAccess(\n', replace: '    await Array.of(\n' }],
    tests: servicegwTests,
  },
  {
    name: 'ancestor: an answer without a lease',
    edits: [
      {
        file: servicegw,
        find: 'const outcome = await leases.keep(lease, maximum, now, checks, before)',
        replace: "const outcome = maximum < 0 ? await leases.keep(lease, maximum, now, checks, before) : 'kept'",
      },
    ],
    tests: servicegwTests,
  },
  {
    name: 'ancestor: its leases have no cap',
    edits: [
      {
        file: servicegw,
        find: "=== 'capped') throw leaseCapped(maximum)",
        replace: '=== undefined) throw leaseCapped(maximum)',
      },
    ],
    tests: servicegwTests,
  },
  {
    name: 'ancestor: every poll goes to the lease store',
    edits: [{ file: servicegw, find: 'return age >= 0 && age < keepEveryMs', replace: 'return age < 0' }],
    tests: servicegwTests,
  },
  {
    name: 'ancestor: a lease for every instance of the function',
    edits: [
      { file: servicegw, find: 'leaseId(principal.name, instance, ', replace: 'leaseId(principal.name, undefined, ' },
    ],
    tests: servicegwTests,
  },
  {
    name: 'ancestor: a lease stays on record where its channel was',
    edits: [{ file: servicegw, find: 'JSON.stringify([lease.etag, lease.directory])', replace: 'JSON.stringify([])' }],
    tests: servicegwTests,
  },
  {
    name: 'ancestor: a lease outlives its grant',
    edits: [{ file: servicegw, find: '(until === undefined || (', replace: '(until === until || (' }],
    tests: servicegwTests,
  },
  {
    name: 'ancestor: what is stored is made from a secret',
    edits: [
      {
        file: servicegw,
        find: "tagOf(bodyWith(loginWith('')))",
        replace: 'tagOf(bodyWith(loginWith(request.clientSecret)))',
      },
    ],
    tests: servicegwTests,
  },
  {
    name: 'ancestor: any tag is the tag of the answer',
    edits: [
      {
        file: servicegwEndpoint,
        find: "['if-none-match'] === headers.etag",
        replace: "['if-none-match'] !== undefined",
      },
    ],
    tests: servicegwTests,
  },
  {
    name: 'ancestor: polling takes the room of resolve',
    edits: [{ file: 'infra/api.ts', find: '    stage.routeSettings = ', replace: '    void ' }],
    tests: ['test/infra/switchboard.test.ts'],
  },
  {
    name: 'a lease that is kept is written again each time',
    edits: [
      {
        file: leaseStore,
        find: "'etag <> :etag OR directory <> :directory'",
        replace: "'etag <> :never OR directory <> :directory'",
      },
      {
        file: leaseStore,
        find: "      ':etag': lease.etag,\n",
        replace: "      ':etag': lease.etag,\n      ...(condition === undefined ? {} : { ':never': '' }),\n",
      },
    ],
    tests: ['test/contracts'],
  },
  {
    name: 'a lease that ended is taken for one that is kept',
    edits: [
      {
        file: leaseStore,
        find: 'heldUntil !== undefined && heldUntil > now.toISOString()',
        replace: 'heldUntil !== undefined',
      },
    ],
    tests: ['test/store'],
  },
]
