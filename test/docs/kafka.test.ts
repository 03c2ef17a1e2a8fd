import { readFileSync } from 'node:fs'
import { describe, expect, test } from 'vitest'
import { allowedUrlsOption, renderServerProperties } from '../../local/kafka/server-properties.ts'

const text = readFileSync(new URL('../../docs/kafka.md', import.meta.url), 'utf8')
const issuerUrl = 'https://switchboard.acme.com'

const blocks = (kind: string): readonly string[] =>
  [...text.matchAll(new RegExp(`^\`\`\`${kind}\\n([\\s\\S]*?)^\`\`\`$`, 'gm'))].map(([, body = '']) => body)

const documented = blocks('properties').flatMap((body) => body.trimEnd().split('\n'))
const settings = documented.filter((line) => !line.startsWith('#'))

const stack = renderServerProperties({
  name: 'payments',
  dataDirectory: '/run/data',
  keystoreFile: '/run/keystore.pem',
  truststoreFile: '/run/truststore.pem',
  ports: { inside: 1, outside: 2, internal: 3, controller: 4 },
  passwords: { broker: 'b', admin: 'a' },
  issuerUrl,
})
  .trimEnd()
  .split('\n')

/** What of the local stack's lines makes a cluster trust Switchboard; the rest is what any one-node Kafka has. */
const trust =
  /^(listener\.name\.(inside|outside)\.|sasl\.oauthbearer\.|authorizer\.|allow\.everyone|super\.users|auto\.create)/

const forListener = (name: string): readonly string[] =>
  settings.map((line) => line.replace(/^listener\.name\.clients\./, `listener.name.${name}.`))

describe.each(['inside', 'outside'])(
  'the broker lines of docs/kafka.md, on the listener %s of the local stack',
  (name) => {
    test('are those that it runs with, and all of them', () => {
      const other = name === 'inside' ? 'outside' : 'inside'
      const used = stack.filter((line) => trust.test(line) && !line.startsWith(`listener.name.${other}.`))

      expect(forListener(name).toSorted()).toEqual(used.toSorted())
    })
  },
)

test('every broker line of docs/kafka.md has its reason above it', () => {
  expect(settings.length).toBeGreaterThan(10)
  const bare = documented.filter(
    (line, at) =>
      !line.startsWith('#') && !documented[at - 1]?.startsWith('#') && !line.includes('.scram-sha-512.sasl.jaas'),
  )
  expect(bare).toEqual([])
})

test('the JVM option of docs/kafka.md is the one that the local stack starts its brokers with', () => {
  expect(blocks('sh').join('')).toContain(`KAFKA_OPTS="${allowedUrlsOption(issuerUrl)}"`)
})
