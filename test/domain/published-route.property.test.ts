import * as fc from 'fast-check'
import { expect, it } from 'vitest'
import { compileDirectory, type Directory } from '../../shared/domain/directory.ts'
import type { Route } from '../../shared/domain/route.ts'
import { aPolicy } from '../fixtures/policies.ts'
import { anyPattern } from '../fixtures/small-universe.ts'

const seen = ({ routes, routePositions }: Directory) => ({
  routePositions,
  routes: routes.map(({ index, channel, when, cluster, topic, profiles }: Route) => ({
    index,
    channel,
    when,
    cluster,
    topic,
    profiles,
  })),
})

it('has the routes of a policy in force as they were when it was checked', () => {
  fc.assert(
    fc.property(
      fc.array(fc.record({ channel: anyPattern({ named: true }), team: fc.option(fc.constantFrom('a', 'b')) }), {
        maxLength: 10,
      }),
      (routes) => {
        const policy = aPolicy({
          routes: routes.map(({ channel, team }, index) => ({
            channel,
            cluster: 'main',
            topic: `t${index}.{path}`,
            ...(team === null ? {} : { when: { labels: { team } }, profiles: { producer: 'balanced' } }),
            shared: true,
          })),
        })
        expect(seen(compileDirectory(policy, 'hash', { published: true }).directory)).toEqual(
          seen(compileDirectory(policy, 'hash').directory),
        )
      },
    ),
  )
})

it('has the routes of a lookup table too', () => {
  const policy = aPolicy({
    routes: [
      { channel: 'kafka://acme/orders/{event}', cluster: 'main', topics: { created: 'orders.created.v3' } },
      { channel: 'kafka://acme/**', cluster: 'main', topic: '{path}', shared: true },
    ],
  })
  const published = compileDirectory(policy, 'hash', { published: true }).directory
  expect(seen(published)).toEqual(seen(compileDirectory(policy, 'hash').directory))
  expect(published.routePositions).toEqual([0, 0, 1])
})
