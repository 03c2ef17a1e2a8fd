import { describe, expect, it } from 'vitest'
import type { Policy } from '../../../shared/domain/policy.ts'
import { aPolicy } from '../../fixtures/policies.ts'
import { aSwitchboard, type Switchboard } from './a-switchboard.ts'

// A grant that no prefix covers is access to the topics that exist; the topic that is asked for may not be one of them.

const created = 'kafka://acme/orders/created'
const granting = (changes: Partial<Policy> = {}): Policy =>
  aPolicy({
    grants: [{ principals: ['orders-api'], produce: ['kafka://acme/orders/*'] }],
    routes: [{ channel: 'kafka://acme/orders/{event}', cluster: 'main', topic: 'orders.{event}.v1' }],
    ...changes,
  })
const notReady = { status: 503, body: { code: 'credential_not_ready' } }
const denied = { status: 403, body: { code: 'access_denied', retryable: false } }

const ask = (switchboard: Switchboard, channel = created) => switchboard.resolve({ produce: [channel] })

/** Asked for, and looked for by rotate in vain. */
const looked = async (): Promise<Switchboard> => {
  const switchboard = await aSwitchboard({ policy: granting() })
  expect(await ask(switchboard)).toMatchObject(notReady)
  await switchboard.prepare('orders-api')
  return switchboard
}

describe('a granted channel whose topic does not exist', () => {
  it('is worth waiting for until rotate has looked, and is refused after that', async () => {
    const switchboard = await looked()

    expect(await ask(switchboard)).toMatchObject(denied)
    expect(switchboard.messages).toHaveLength(1)
  })

  it('looks like every refusal to the caller, and is named to the platform team', async () => {
    const switchboard = await looked()
    const refused = await ask(switchboard)
    const stranger = await ask(switchboard, 'kafka://acme/payouts/settled')

    expect(stranger).toMatchObject(denied)
    expect(refused.body.detail).toBe(stranger.body.detail)
    expect(refused.text).not.toContain('orders.created.v1')
    expect(JSON.stringify(switchboard.telemetry)).toContain('orders.created.v1')
  })

  it('is looked for again after half a minute, and answered once somebody made it', async () => {
    const switchboard = await looked()
    switchboard.kafka.topics.add('orders.created.v1')
    switchboard.setTime(29)
    expect(await ask(switchboard)).toMatchObject(denied)

    switchboard.setTime(30)
    expect(await ask(switchboard)).toMatchObject(notReady)
    await switchboard.prepare('orders-api')
    expect(await ask(switchboard)).toMatchObject({ status: 200 })
  })

  it('is not refused because of what was looked for before it was asked for', async () => {
    const switchboard = await looked()
    switchboard.kafka.topics.add('orders.shipped.v1')

    expect(await ask(switchboard, 'kafka://acme/orders/shipped')).toMatchObject(notReady)
    switchboard.setTime(10)
    expect(await ask(switchboard, 'kafka://acme/orders/shipped')).toMatchObject(notReady)
    await switchboard.prepare('orders-api')
    expect(await ask(switchboard, 'kafka://acme/orders/shipped')).toMatchObject({ status: 200 })
  })

  it('is not refused under a policy that rotate has not seen yet', async () => {
    const switchboard = await looked()
    await switchboard.apply(granting({ limits: { leasesPerPrincipal: 5 } }))
    switchboard.setTime(6)

    expect(await ask(switchboard)).toMatchObject(notReady)
  })

  it('is refused for the labels that rotate knew, and worth waiting for with others', async () => {
    const labels = { team: '{team}', env: '{env}' }
    const switchboard = await aSwitchboard({
      policy: granting({
        identities: [{ issuer: 'https://login.acme.com', audience: 'switchboard', labels }],
        grants: [{ principals: { labels: { team: 'x' } }, produce: ['kafka://acme/orders/*'] }],
      }),
    })
    const askIn = (env: string) => switchboard.resolve({ produce: [created] }, { claims: { team: 'x', env } })
    await askIn('dev')
    await switchboard.prepare('orders-api')

    expect(await askIn('dev')).toMatchObject(denied)
    expect(await askIn('prod')).toMatchObject(notReady)
  })
})

it('a pattern that over 1000 routes carry is an invalid intent, with a pointer to it', async () => {
  const routes = Array.from({ length: 1001 }, (_, index) => ({
    channel: `kafka://acme/orders/o${index}/**`,
    cluster: 'main',
    topic: `orders.o${index}.{**}`,
  }))
  const grants = [{ principals: ['orders-api'], produce: ['kafka://acme/**'] }]
  const switchboard = await aSwitchboard({ policy: aPolicy({ grants, routes }) })

  expect(await ask(switchboard, 'kafka://acme/orders/**')).toMatchObject({
    status: 400,
    body: {
      code: 'invalid_intent',
      errors: [{ pointer: '/produce/0', detail: 'over 1000 routes share this pattern; ask for a narrower one' }],
    },
  })
})
