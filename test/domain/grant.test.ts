import { describe, expect, it } from 'vitest'
import { allowsGroup, isExpired, isHeldBy, matchesName, parseNamePattern } from '../../shared/domain/grant.ts'
import { durationSeconds, untilDate } from '../../shared/domain/policy-times.ts'
import { aDirectory, aPrincipal } from '../fixtures/policies.ts'

const aGrant = (changes: Record<string, unknown>) => {
  const grant = aDirectory({ grants: [{ principals: ['p'], consume: ['kafka://acme/x'], ...changes }] }).grants[0]
  if (grant === undefined) throw new Error('no grant')
  return grant
}

describe('the end of a grant', () => {
  it.each([
    ['2027-03-31', '2027-04-01T00:00:00.000Z'],
    ['2028-02-29', '2028-03-01T00:00:00.000Z'],
    ['2027-03-31T12:00:00Z', '2027-03-31T12:00:00.000Z'],
    ['2027-03-31T12:00Z', '2027-03-31T12:00:00.000Z'],
    ['2027-03-31T12:00:00+02:00', '2027-03-31T10:00:00.000Z'],
    ['2027-03-31T12:00:00.999Z', '2027-03-31T12:00:00.000Z'],
  ])('%s is %s', (text, end) => {
    expect(untilDate(text)?.toISOString()).toBe(end)
  })

  it.each([
    '',
    'tomorrow',
    '2027',
    '2027-02-30',
    '2027-13-01',
    '2027-3-1',
    '2027-03-31T12:00:00',
    '2027-03-31 12:00Z',
    '2027-02-30T12:00:00Z',
    '2027-02-30T23:00:00-09:00',
  ])('%j is no date', (text) => {
    expect(untilDate(text)).toBeUndefined()
  })

  it('ends the grant at that very instant', () => {
    const grant = aGrant({ until: '2027-03-31' })
    expect(isExpired(grant, new Date('2027-03-31T23:59:59.999Z'))).toBe(false)
    expect(isExpired(grant, new Date('2027-04-01T00:00:00.000Z'))).toBe(true)
  })
})

it('durations are seconds, minutes and hours', () => {
  expect(['30s', '15m', '2h'].map(durationSeconds)).toEqual([30, 900, 7200])
})

describe('names', () => {
  it('a prefix covers what starts with it, a name only itself', () => {
    expect(matchesName(parseNamePattern('orders-*'), 'orders-1')).toBe(true)
    expect(matchesName(parseNamePattern('orders-*'), 'orders')).toBe(false)
    expect(matchesName(parseNamePattern('orders-1'), 'orders-12')).toBe(false)
  })

  it('every principal has the group of its own name, and no other without a grant', () => {
    const grant = aGrant({})
    expect(allowsGroup(grant, 'p', 'p')).toBe(true)
    expect(allowsGroup(grant, 'p', 'p-1')).toBe(false)
    expect(allowsGroup(aGrant({ groups: ['p-*'] }), 'p', 'p-1')).toBe(true)
  })
})

describe('who holds a grant', () => {
  it('is who is named, by the exact name', () => {
    const grant = aGrant({})
    expect(['p', 'P', 'pp', ''].map((name) => isHeldBy(grant, aPrincipal(name)))).toEqual([true, false, false, false])
  })

  it('is who has all of the labels', () => {
    const grant = aGrant({ principals: { labels: { team: 'x', env: 'prod' } } })
    expect(isHeldBy(grant, aPrincipal('a', { team: 'x', env: 'prod', more: '1' }))).toBe(true)
    expect(isHeldBy(grant, aPrincipal('a', { team: 'x' }))).toBe(false)
  })
})
