import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { canonicalJson } from '../../shared/domain/canonical-json.ts'
import { SwitchboardError } from '../../shared/domain/errors.ts'
import { intentKey, parseIntent, wishes } from '../../shared/domain/intent.ts'

const refusal = (body: unknown) => {
  try {
    parseIntent(body)
  } catch (error) {
    if (error instanceof SwitchboardError)
      return { code: error.code, pointers: error.errors.map(({ pointer }) => pointer) }
    throw error
  }
  return undefined
}

const created = 'kafka://acme/orders/created'

describe('an intent', () => {
  it('is channels to produce and consume, in the order of the caller', () => {
    const intent = parseIntent({ consume: ['kafka://acme/b', 'kafka://acme/a/*'], produce: [created] })
    expect(wishes(intent).map(({ action, asked, pointer }) => [action, asked.kind, asked.name, pointer])).toEqual([
      ['produce', 'channel', created, '/produce/0'],
      ['consume', 'channel', 'kafka://acme/b', '/consume/0'],
      ['consume', 'pattern', 'kafka://acme/a/*', '/consume/1'],
    ])
  })

  it.each([
    ['nothing', undefined, ['']],
    ['null', null, ['']],
    ['a list', [], ['']],
    ['a text', 'kafka://acme/x', ['']],
    ['no channels', {}, ['']],
    ['empty lists', { produce: [], consume: [] }, ['']],
    ['an unknown field', { produce: [created], colour: 'red' }, ['']],
    ['a channel that is none', { produce: [created, 'orders'] }, ['/produce/1']],
    ['a channel that is a number', { consume: [7] }, ['/consume/0']],
    ['a channel twice', { produce: [created, created] }, ['/produce']],
    ['101 channels', { produce: Array.from({ length: 101 }, (_, at) => `kafka://acme/${at}`) }, ['/produce']],
    ['a named wildcard', { consume: ['kafka://acme/{team}'] }, ['/consume/0']],
    ['a group without a channel to consume', { produce: [created], group: 'g' }, ['/group']],
    ['a group with a star', { consume: [created], group: 'g*' }, ['/group']],
    ['a network with a line feed', { produce: [created], network: 'a\n' }, ['/network']],
    ['an unknown family', { produce: [created], client: { family: 'cobol' } }, ['/client/family']],
    ['an unknown part of the client', { produce: [created], client: { name: 'x' } }, ['/client']],
    ['a lease id of another form', { produce: [created], lease: 'lease_../x' }, ['/lease']],
    ['two wrong fields', { produce: ['x'], consume: ['y'] }, ['/produce/0', '/consume/0']],
  ])('is refused with a pointer to the field: %s', (_, body, pointers) => {
    expect(refusal(body)).toEqual({ code: 'invalid_intent', pointers })
  })

  it('is taken or refused as `invalid_intent`, whatever JSON it is', () => {
    const near = fc.record(
      {
        produce: fc.oneof(fc.array(fc.oneof(fc.constant(created), fc.string())), fc.jsonValue()),
        consume: fc.oneof(fc.array(fc.oneof(fc.constant('kafka://acme/**'), fc.string())), fc.jsonValue()),
        group: fc.oneof(fc.constant('g'), fc.jsonValue()),
        profile: fc.jsonValue(),
        client: fc.jsonValue(),
        lease: fc.jsonValue(),
      },
      { requiredKeys: [] },
    )
    fc.assert(
      fc.property(fc.oneof(near, fc.jsonValue()), (body) => {
        const refused = refusal(body)
        if (refused !== undefined) {
          expect(refused.code).toBe('invalid_intent')
          expect(refused.pointers.length).toBeGreaterThan(0)
          expect(refused.pointers.length).toBeLessThanOrEqual(20)
        }
      }),
      { numRuns: 500 },
    )
  })
})

it('two intents that ask for the same in another order have one key, and the instance is no part of it', () => {
  const key = (body: unknown) => canonicalJson(intentKey(parseIntent(body)))
  const one = key({ produce: ['kafka://acme/a', 'kafka://acme/b'], client: { instance: 'pod-1' } })
  expect(key({ produce: ['kafka://acme/b', 'kafka://acme/a'], client: { instance: 'pod-2' } })).toBe(one)
  expect(key({ consume: ['kafka://acme/b', 'kafka://acme/a'] })).not.toBe(one)
  expect(key({ produce: ['kafka://acme/a', 'kafka://acme/b'], network: 'vpc' })).not.toBe(one)
})
