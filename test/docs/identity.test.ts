import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { createLocalJWKSet } from 'jose'
import { describe, expect, test } from 'vitest'
import { parse } from 'yaml'
import { compileDirectory } from '../../shared/domain/directory.ts'
import { SwitchboardError } from '../../shared/domain/errors.ts'
import { type Policy, policySchema } from '../../shared/domain/policy.ts'
import { checkPolicy, checkPolicyForIssuer } from '../../shared/domain/policy-checks.ts'
import type { Principal } from '../../shared/domain/principal.ts'
import { authenticateRole, createAuthenticator } from '../../shared/identity/authenticator.ts'
import { aPolicy, now } from '../fixtures/policies.ts'
import { createKey, mint } from '../identity/workload-key.ts'

const text = readFileSync(new URL('../../docs/identity.md', import.meta.url), 'utf8')

type Block = { readonly info: string; readonly body: string }
type Section = { readonly title: string; readonly blocks: readonly Block[] }

const sections: readonly Section[] = text
  .split(/^## /m)
  .slice(1)
  .map((section) => ({
    title: section.slice(0, section.indexOf('\n')),
    blocks: [...section.matchAll(/^```(\w+ ?[\w ]*)\n([\s\S]*?)^```$/gm)].map(([, info = '', body = '']) => ({
      info,
      body,
    })),
  }))

const policyOf = (blocks: readonly Block[]): Policy =>
  policySchema.parse(
    aPolicy({
      identities: blocks.filter(({ info }) => info === 'yaml policy').flatMap(({ body }) => parse(body).identities),
    }),
  )

const compile = (policy: Policy) => {
  const { directory, issues } = compileDirectory(policy, 'sha256:test')
  expect(issues).toEqual([])
  expect(checkPolicy(policy, directory)).toEqual([])
  expect(checkPolicyForIssuer(directory, 'https://switchboard.acme.com')).toEqual([])
  return directory
}

const secret = 'the secret that was printed'
const digests = [createHash('sha256').update(secret).digest()]
const issuerAlgorithms: readonly (readonly [RegExp, 'RS256' | 'ES384'])[] = [
  [/amazonaws\.com|githubusercontent|login\.acme/, 'RS256'],
  [/\.api\.aws$/, 'ES384'],
]

const keys = new Map((['RS256', 'ES384', 'ES256'] as const).map((algorithm) => [algorithm, createKey(algorithm)]))

/** What a block shows, proven as its issuer would prove it; the principal without the position of its rule. */
const identify = async (policy: Policy, { info, body }: Block): Promise<Pick<Principal, 'name' | 'labels'>> => {
  const directory = compile(policy)
  const shown = JSON.parse(body)
  const algorithm = issuerAlgorithms.find(([issuer]) => issuer.test(shown.iss))?.[1] ?? 'ES256'
  const key = keys.get(algorithm) ?? expect.unreachable()
  const authenticate = createAuthenticator({
    issuerKeys: async () => ({ getKey: createLocalJWKSet({ keys: [key.jwk] }), generation: '1' }),
    clientDigests: async () => new Map(['legacy-billing', 'removed-from-the-policy'].map((id) => [id, digests])),
    ownIssuer: 'https://switchboard.acme.com',
    clock: () => now,
  })
  const { name, labels } = info.endsWith('signer')
    ? authenticateRole(shown.userArn, directory)
    : await authenticate(
        info.endsWith('client')
          ? `Basic ${Buffer.from(`${shown.id}:${shown.secret}`).toString('base64')}`
          : `Bearer ${await mint(key, shown)}`,
        directory,
      )
  return { name, labels }
}

const isProof = ({ info }: Block): boolean => /^json (claims|signer|client)$/.test(info)
const isRefused = ({ info }: Block): boolean => /^json refused( signer| client)?$/.test(info)

test('the document has a section for each kind of caller', () => {
  expect(sections.map(({ title }) => title)).toEqual([
    'Kubernetes',
    'GitHub Actions',
    'AWS, by token',
    'Keycloak',
    'AWS, by signature',
    'Client secrets',
  ])
})

test('no block of the document is of a kind that nothing runs', () => {
  const kinds = sections.flatMap(({ blocks }) =>
    blocks
      .filter((block) => !isProof(block) && !isRefused(block))
      .map(({ info }) => info)
      .filter((info) => !['yaml policy', 'json principal', 'yaml'].includes(info)),
  )
  expect(kinds).toEqual([])
  expect(text.match(/^```./gm)).toHaveLength(sections.flatMap(({ blocks }) => blocks).length)
})

describe.each(sections)('$title', ({ blocks }) => {
  const policy = policyOf(blocks)

  test('its policy compiles and passes every check', () => {
    expect(policy.identities.length).toBeGreaterThan(0)
    compile(policy)
  })

  const proofs = blocks.flatMap((block, at) => (isProof(block) ? [{ block, principal: blocks[at + 1] }] : []))

  test('what it shows names the principal that it says', async () => {
    expect(proofs.length).toBeGreaterThan(0)
    for (const { block, principal } of proofs) {
      expect(principal?.info).toBe('json principal')
      expect(await identify(policy, block)).toEqual(JSON.parse(principal?.body ?? ''))
    }
  })

  test('what it says is refused names nobody, for its identity alone', async () => {
    const refused = blocks.filter(isRefused)
    expect(refused.length).toBeGreaterThan(0)
    for (const block of refused) {
      const error = await identify(policy, block).catch((thrown: unknown) => thrown)
      expect(error, block.body).toBeInstanceOf(SwitchboardError)
      expect(error).toMatchObject({ code: 'unauthenticated' })
      // not because the example is broken: expired, unsigned or of an issuer that no rule has
      expect((error as SwitchboardError).reason).toMatch(
        /^(no identity rule matches|a claim of the template|the signature is not that of an assumed role|the client id or its secret is wrong)/,
      )
    }
  })
})

test('all of it is one policy, in which nobody can be taken for somebody else', async () => {
  const all = policyOf(sections.flatMap(({ blocks }) => blocks))
  expect(all.identities).toHaveLength(sections.length)
  for (const { blocks } of sections)
    for (const [at, block] of blocks.entries()) {
      if (isProof(block)) expect(await identify(all, block)).toEqual(JSON.parse(blocks[at + 1]?.body ?? ''))
      if (isRefused(block)) await expect(identify(all, block)).rejects.toMatchObject({ code: 'unauthenticated' })
    }
})
