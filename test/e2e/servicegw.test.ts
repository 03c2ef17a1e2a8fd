import { readFileSync } from 'node:fs'
import { beforeAll, expect, test } from 'vitest'
import { trustAuthority } from '../../local/emulator.ts'
import { readStackState } from '../../local/state.ts'
import { type AncestorMinute, createLeaseReader, runAncestorMinute } from '../fixtures/ancestor-minute.ts'
import { basic } from '../fixtures/stock-clients.ts'

// A minute of two services of the ancestor, one poll a second; what they show is looked at after it.

const state = readStackState(process.env.SWITCHBOARD_TEST_STATE ?? '')
trustAuthority(readFileSync(state.caFile, 'utf8'))

let minute: AncestorMinute
let leaseId: string

const ask = (query: Readonly<Record<string, string>>, headers: Readonly<Record<string, string>> = {}) =>
  fetch(
    `${state.switchboard.url}/servicegw?${new URLSearchParams({
      config_profile: 'balanced',
      'config_profile.type': 'consumer',
      ...query,
    })}`,
    { headers: { authorization: basic(state.clients[minute.principal] ?? ''), ...headers } },
  )

beforeAll(async () => {
  minute = await runAncestorMinute(state)
  leaseId = minute.consumer.asked[0]?.lease ?? ''
}, 180_000)

test('a service of the ancestor runs for a minute with what `/servicegw` tells it, and nothing is lost', () => {
  const { producer, consumer, topics } = minute

  expect([producer, consumer].map(({ exitCode, complaints }) => [exitCode, complaints])).toEqual([
    [0, ''],
    [0, ''],
  ])
  expect(producer.values.length).toBeGreaterThanOrEqual(50)
  expect(consumer.values.toSorted()).toEqual(producer.values.toSorted())
  expect(consumer.built).toEqual([{ event: 'built', topics }])
})

test('a consumer that asks once a second is never built anew, and hears the same every time', () => {
  const { asked, built } = minute.consumer

  expect(asked.length).toBeGreaterThanOrEqual(55)
  expect(built).toHaveLength(1)
  expect(new Set(asked.map(({ etag }) => etag)).size).toBe(1)
})

test('its one lease is as it was stored when it first asked, and does not end', () => {
  const { principal, channels, before, after, consumer } = minute

  expect(new Set(consumer.asked.map(({ lease }) => lease)).size).toBe(1)
  expect(before).toMatchObject({ principal, clusters: ['payments'], channels, expiresAt: '9999-12-31T23:59:59.999Z' })
  expect(after).toEqual(before)
})

test('the gateway lets the query through as it was written, and a tag is answered with 304', async () => {
  const [one = '', two = ''] = minute.channels
  const first = await ask({ 'channel[0]': two, 'channel[1]': one })
  const { etag = '' } = minute.consumer.asked[0] ?? {}

  expect(first.status).toBe(200)
  // the order of channels means nothing
  expect([first.headers.get('lease-id'), first.headers.get('etag')]).toEqual([leaseId, etag])

  const again = await ask({ 'channel[0]': one, 'channel[1]': two, 'a b': 'c+d' }, { 'if-none-match': etag })
  expect(again.status).toBe(304)
})

test('a channel that no grant allows is refused with a status that its client takes for a failure', async () => {
  const refused = await ask({ channel: 'kafka://payments.acme.com/payouts/settled' })

  expect(refused.status).toBe(403)
  expect(refused.headers.get('content-type')).toBe('application/problem+json')
  expect(await refused.json()).toMatchObject({ code: 'access_denied' })
})

test('services end their leases themselves when they are done', async () => {
  const readLease = createLeaseReader(state)
  for (const { asked } of [minute.consumer, minute.producer]) {
    const id = asked[0]?.lease ?? ''
    const released = await fetch(`${state.switchboard.url}/v1/leases/${id}`, {
      method: 'DELETE',
      headers: { authorization: basic(state.clients[minute.principal] ?? '') },
    })
    expect(released.status).toBe(204)
    expect(await readLease(id)).toBeUndefined()
  }
})
