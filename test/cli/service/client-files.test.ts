import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { appendJavaOptions, javaOptionsIn, renderKcat, tokenSourceOf } from '../../../cli/service/client-files.ts'

const urls = '-Dorg.apache.kafka.sasl.oauthbearer.allowed.urls='
const files = '-Dorg.apache.kafka.sasl.oauthbearer.allowed.files='

/** As a JVM reads its options: the last of a name wins. */
const readByJvm = (options: string): ReadonlyMap<string, string> =>
  new Map(
    options
      .split(/\s+/)
      .filter((word) => word.startsWith('-D'))
      .map((word) => {
        const at = word.indexOf('=')
        return [word.slice(2, at), word.slice(at + 1)]
      }),
  )

describe('KAFKA_OPTS', () => {
  test('is what was there, and then what the file wants', () => {
    expect(appendJavaOptions(undefined, [`${urls}https://a/t`])).toBe(`${urls}https://a/t`)
    expect(appendJavaOptions('  -Xmx1g  -verbose ', [`${urls}https://a/t`, `${files}/run/t`])).toBe(
      `-Xmx1g -verbose ${urls}https://a/t ${files}/run/t`,
    )
  })

  test('still allows what was allowed before', () => {
    const options = appendJavaOptions(`${urls}https://b/t,https://c/t`, [`${urls}https://a/t`])
    expect(readByJvm(options).get('org.apache.kafka.sasl.oauthbearer.allowed.urls')).toBe(
      'https://b/t,https://c/t,https://a/t',
    )
  })

  test('keeps every word that was there and lets a JVM see every value of ours', () => {
    const word = fc.stringMatching(/^-[A-Za-z][A-Za-z0-9.=:/,-]{0,20}$/)
    fc.assert(
      fc.property(fc.array(word), fc.constantFrom(urls, files), fc.webUrl(), (before, name, value) => {
        fc.pre(!/[\s,]/.test(value))
        const options = appendJavaOptions(before.join(' '), [`${name}${value}`])
        expect(options.split(' ').slice(0, before.length)).toEqual(before)
        expect(readByJvm(options).get(name.slice(2, -1))?.split(',')).toContain(value)
        // an exec in an exec adds nothing twice
        expect(readByJvm(appendJavaOptions(options, [`${name}${value}`]))).toEqual(readByJvm(options))
      }),
    )
  })

  test('comes from the first line of the file', () => {
    expect(javaOptionsIn(`# ${urls}https://a/t ${files}/run/t\nacks=all\n# -Dnot=this\n`)).toEqual([
      `${urls}https://a/t`,
      `${files}/run/t`,
    ])
    expect(javaOptionsIn('acks=all\n')).toEqual([])
  })
})

describe('a kcat file', () => {
  test('has a setting a line, and its certificates beside it', () => {
    const object = { 'bootstrap.servers': 'a:1', 'enable.idempotence': true, 'ssl.ca.pem': '-----BEGIN\nA\n-----END\n' }
    expect(renderKcat(object, '/etc/kcat.conf.ca.pem')).toEqual({
      config: 'bootstrap.servers=a:1\nenable.idempotence=true\nssl.ca.location=/etc/kcat.conf.ca.pem\n',
      ca: '-----BEGIN\nA\n-----END\n',
    })
    expect(renderKcat({ acks: 'all' }, undefined)).toEqual({ config: 'acks=all\n', ca: undefined })
  })

  test('is not printed when it needs a second file', () => {
    expect(() => renderKcat({ 'ssl.ca.pem': 'A\n' }, undefined)).toThrow('use --out <file>')
  })

  test.each(['a\nb', 'a\r', ' a', 'a '])('has no value that kcat would read otherwise: %j', (value) => {
    expect(() => renderKcat({ 'client.id': value }, undefined)).toThrow('does not fit into a line')
  })
})

describe('the client of a file gets its tokens', () => {
  const parts = { url: 'https://s.acme.com', instance: 'pod 1', cluster: 'payments', tokenFile: undefined }
  const endpoint = { tokenEndpointUrl: 'https://s.acme.com/v1/token?instance=pod%201', scope: 'kafka:payments' }

  test('with the file or the secret that the caller has', () => {
    expect(tokenSourceOf({ ...parts, caller: { kind: 'token-file', file: '/run/token' } })).toEqual({
      kind: 'jwt-bearer',
      ...endpoint,
      assertionFile: '/run/token',
    })
    expect(tokenSourceOf({ ...parts, caller: { kind: 'client', id: 'legacy', secret: 's' } })).toEqual({
      kind: 'client_credentials',
      ...endpoint,
      clientId: 'legacy',
      clientSecret: 's',
    })
  })

  test('not with a token that is in no file, nor from a path that no JVM option carries', () => {
    const caller = { kind: 'token', token: 'hunter2' } as const
    expect(() => tokenSourceOf({ ...parts, caller })).toThrow('name it with --token-file')
    expect(tokenSourceOf({ ...parts, caller, tokenFile: '/tmp/x/token' })).toMatchObject({
      assertionFile: '/tmp/x/token',
    })
    expect(() => tokenSourceOf({ ...parts, caller: { kind: 'token-file', file: '/my files/token' } })).toThrow(
      'which a JVM option cannot carry',
    )
  })
})
