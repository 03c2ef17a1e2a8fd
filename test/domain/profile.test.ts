import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { settingsOf } from '../../shared/domain/client-dialect.ts'
import { policySchema } from '../../shared/domain/policy.ts'
import { builtInProfiles, propertyProblem } from '../../shared/domain/profile.ts'
import { aPolicy } from '../fixtures/policies.ts'

describe('a profile of a policy', () => {
  it.each([
    ...['sasl.mechanism', 'sasl.jaas.config', 'sasl.username', 'sasl.password', 'sasl.oauthbearer.config'],
    ...['sasl.mechanisms', 'sasl.oauthbearer.token.endpoint.url', 'sasl.login.callback.handler.class'],
    ...['security.protocol', 'security.providers', 'bootstrap.servers', 'metadata.broker.list'],
    ...['ssl.truststore.location', 'ssl.endpoint.identification.algorithm', 'ssl.ca.pem', 'ssl.engine.factory.class'],
    ...['https.ca.location', 'enable.ssl.certificate.verification', 'enable.sasl.oauthbearer.unsecure.jwt'],
    ...['group.id', 'group.instance.id', 'client.id', 'transactional.id'],
  ])('may not say who a client is or where it connects: %s', (name) => {
    expect(propertyProblem(name, 'x')).toContain('who a client is')
  })

  it.each([
    ...['config.providers', 'config.providers.file.class', 'interceptor.classes', 'metric.reporters'],
    ...['key.serializer', 'value.deserializer', 'key.deserializer.inner', 'partitioner.class'],
    ...['plugin.library.paths', 'interceptors', 'oauthbearer_token_refresh_cb', 'anything.of.a.new.class'],
  ])('may not make a client load code: %s', (name) => {
    expect(propertyProblem(name, 'x')).toContain('load code')
  })

  it.each([
    'com.acme.MyAssignor',
    'range,com.acme.MyAssignor',
    '',
    'range;sticky',
    'org.apache.kafka.clients.consumer.Evil',
  ])('may not bring an assignor of its own: %s', (value) => {
    expect(propertyProblem('partition.assignment.strategy', value)).toContain('`cooperative-sticky`')
  })

  it.each([
    '',
    ' sasl.mechanism',
    'SASL.mechanism',
    'Group.Id',
    'a b',
    'a=b',
    'a:b',
    'a\nb',
    'acks\u0000',
    '__proto__',
    'linger.ms#',
    'é',
    'x'.repeat(129),
  ])('may not say what only looks like a setting: %j', (name) => {
    expect(propertyProblem(name, 'x')).toContain('a setting is')
  })

  it('may say everything else that a client has', () => {
    for (const role of ['producer', 'consumer'] as const)
      for (const family of ['java', 'librdkafka'] as const)
        for (const name of settingsOf(role, family))
          expect([name, propertyProblem(name, 'range')]).toEqual([name, undefined])
  })

  it('is refused at the very setting', () => {
    const { error } = policySchema.safeParse(
      aPolicy({ profiles: { mine: { role: 'producer', properties: { acks: 'all', 'sasl.jaas.config': 'x' } } } }),
    )
    expect(error?.issues).toEqual([
      expect.objectContaining({
        path: ['profiles', 'mine', 'properties', 'sasl.jaas.config'],
        message: expect.stringContaining('`sasl.*`'),
      }),
    ])
  })

  it('has no name and value that a line, a quote or a character could make into two', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (name) => {
        if (propertyProblem(name, 'x') === undefined) expect(name).toMatch(/^[a-z][a-z0-9._]*$/)
      }),
    )
  })
})

describe('built-in profiles', () => {
  it('are five, each for both roles', () => {
    expect(builtInProfiles.map(({ name, role }) => `${name} ${role}`).sort()).toEqual(
      ['availability', 'balanced', 'durability', 'latency', 'throughput'].flatMap((name) => [
        `${name} consumer`,
        `${name} producer`,
      ]),
    )
  })

  it('keep to the rule for those of a policy', () => {
    for (const { name, role, properties } of builtInProfiles)
      expect(policySchema.safeParse(aPolicy({ profiles: { [name]: { role, properties } } })).error).toBeUndefined()
  })

  it('find the cluster again, and give up no record that was acknowledged', () => {
    for (const { role, properties } of builtInProfiles) {
      expect(properties).toMatchObject({
        'client.dns.lookup': 'use_all_dns_ips',
        'metadata.recovery.strategy': 'rebootstrap',
      })
      if (role === 'producer') expect(properties).toMatchObject({ acks: 'all', 'enable.idempotence': true })
    }
  })
})
