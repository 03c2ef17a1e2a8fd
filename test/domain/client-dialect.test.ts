import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { settingsOf, toDialect } from '../../shared/domain/client-dialect.ts'
import type { ClientRole, Properties } from '../../shared/domain/profile.ts'

const producer = (properties: Properties) => toDialect(properties, 'producer', 'librdkafka')
const consumer = (properties: Properties) => toDialect(properties, 'consumer', 'librdkafka')

describe("what librdkafka calls Java's settings of a producer", () => {
  it.each<[string, Properties, Properties]>([
    ['memory, in kilobytes', { 'buffer.memory': 33_554_432 }, { 'queue.buffering.max.kbytes': 32_768 }],
    ['less than a kilobyte', { 'buffer.memory': 100 }, { 'queue.buffering.max.kbytes': 1 }],
    ['the largest request', { 'max.request.size': 2_097_152 }, { 'message.max.bytes': 2_097_152 }],
    ['time-outs', { 'request.timeout.ms': 15_000 }, { 'request.timeout.ms': 15_000, 'socket.timeout.ms': 15_000 }],
    ['the age of metadata', { 'metadata.max.age.ms': 60_000 }, { 'topic.metadata.refresh.interval.ms': 60_000 }],
    ['buffers of the system', { 'send.buffer.bytes': -1 }, { 'socket.send.buffer.bytes': 0 }],
    ['connections that never idle', { 'connections.max.idle.ms': -1 }, { 'connections.max.idle.ms': 0 }],
    [
      'the level of the compression in use',
      { 'compression.type': 'gzip', 'compression.gzip.level': 6, 'compression.lz4.level': 9 },
      { 'compression.type': 'gzip', 'compression.level': 6 },
    ],
    [
      'a level that it does not have',
      { 'compression.type': 'zstd', 'compression.zstd.level': 22 },
      { 'compression.type': 'zstd', 'compression.level': 12 },
    ],
    [
      'a first backoff',
      { 'reconnect.backoff.ms': 2_000 },
      { 'reconnect.backoff.ms': 2_000, 'reconnect.backoff.max.ms': 2_000 },
    ],
    [
      'words in capitals',
      { 'metadata.recovery.strategy': 'REBOOTSTRAP' },
      { 'metadata.recovery.strategy': 'rebootstrap' },
    ],
    [
      'numbers and flags as text',
      { 'linger.ms': '20', 'enable.idempotence': 'TRUE' },
      { 'linger.ms': 20, 'enable.idempotence': true },
    ],
    ['what is too large', { 'linger.ms': 1e9 }, { 'linger.ms': 900_000 }],
    ['what it does not have', { 'max.block.ms': 1_000, 'partitioner.availability.timeout.ms': 1 }, {}],
    [
      'what is no value',
      { 'linger.ms': 'soon', acks: '2', 'enable.idempotence': 'perhaps', 'batch.size': true, retries: ' ' },
      {},
    ],
    [
      'what is for consumers',
      { 'fetch.min.bytes': 1, 'session.timeout.ms': 10_000, 'client.rack': 'a' },
      { 'client.rack': 'a' },
    ],
    [
      'its own words',
      { 'queue.buffering.max.messages': 7, 'statistics.interval.ms': 60_000 },
      { 'queue.buffering.max.messages': 7, 'statistics.interval.ms': 60_000 },
    ],
    [
      'its own words before those of Java',
      { 'queue.buffering.max.kbytes': 7, 'buffer.memory': 33_554_432 },
      { 'queue.buffering.max.kbytes': 7 },
    ],
  ])('%s', (_what, java, librdkafka) => {
    expect(producer(java)).toEqual(librdkafka)
  })
})

describe("what librdkafka calls Java's settings of a consumer", () => {
  it.each<[string, Properties, Properties]>([
    ['how long a fetch waits', { 'fetch.max.wait.ms': 100 }, { 'fetch.wait.max.ms': 100 }],
    ['no place to start from', { 'auto.offset.reset': 'none' }, { 'auto.offset.reset': 'error' }],
    ['a duration to go back by', { 'auto.offset.reset': 'by_duration:PT1H' }, {}],
    [
      'assignors by class',
      { 'partition.assignment.strategy': 'org.apache.kafka.clients.consumer.CooperativeStickyAssignor' },
      { 'partition.assignment.strategy': 'cooperative-sticky' },
    ],
    [
      'eager assignors before the cooperative one',
      { 'partition.assignment.strategy': 'range, cooperative-sticky' },
      { 'partition.assignment.strategy': 'range' },
    ],
    ['an assignor that it does not have', { 'partition.assignment.strategy': 'sticky' }, {}],
    ['how many records a poll gives', { 'max.poll.records': 100 }, {}],
    [
      'a long session',
      { 'session.timeout.ms': 400_000 },
      { 'session.timeout.ms': 400_000, 'max.poll.interval.ms': 400_000 },
    ],
  ])('%s', (_what, java, librdkafka) => {
    expect(consumer(java)).toEqual(librdkafka)
  })
})

describe('the dialect of Java', () => {
  it('keeps names and values, and leaves out what is of the other role or of librdkafka', () => {
    const properties = {
      'linger.ms': '5',
      'fetch.min.bytes': 1,
      'queue.buffering.max.kbytes': 1,
      'statistics.interval.ms': 1,
    }
    expect(toDialect(properties, 'producer', 'java')).toEqual({ 'linger.ms': '5' })
    expect(toDialect(properties, 'consumer', 'javascript')).toEqual({ 'fetch.min.bytes': 1 })
  })

  it('names assignors by their class', () => {
    expect(toDialect({ 'partition.assignment.strategy': 'range, sticky' }, 'consumer', 'java')).toEqual({
      'partition.assignment.strategy':
        'org.apache.kafka.clients.consumer.RangeAssignor,org.apache.kafka.clients.consumer.StickyAssignor',
    })
  })
})

describe('no dialect', () => {
  it('says what decides who a client is, where it connects or what it loads, whatever it is given', () => {
    const told = [
      'sasl.jaas.config',
      'bootstrap.servers',
      'ssl.ca.pem',
      'group.id',
      'interceptor.classes',
      'plugin.library.paths',
      'constructor',
      '__proto__',
      'toString',
    ]
    const names = fc.constantFrom(...told, ...settingsOf('producer', 'java'), ...settingsOf('consumer', 'librdkafka'))
    const value = fc.oneof(fc.string(), fc.integer(), fc.boolean())
    fc.assert(
      fc.property(
        fc.dictionary(names, value),
        fc.constantFrom<ClientRole>('producer', 'consumer'),
        fc.constantFrom('java', 'librdkafka', 'javascript'),
        (properties, role, family) => {
          const known = settingsOf(role, family)
          for (const name of Object.keys(toDialect(properties, role, family))) expect(known).toContain(name)
        },
      ),
    )
  })
})
