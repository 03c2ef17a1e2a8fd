import { describe, expect, it } from 'vitest'
import { activateAt, nextStep, prepareAt, slotToHandOut } from '../../shared/domain/rotation.ts'
import {
  adopted,
  checkedSigningKeyTimes,
  type HeldKey,
  hurried,
  isExplained,
  parseSigningKeyTimes,
  retiredAt,
  retireSeconds,
  signingKeyClock,
  signingKeyContext,
  signingKeys,
} from '../../shared/domain/signing-key.ts'

const now = new Date('2026-11-21T12:00:00Z')
const days = (count: number): Date => new Date(now.getTime() + count * 86_400_000)
const times = checkedSigningKeyTimes({})
const key = (slot: 'a' | 'b', generation: number, createdAt = now): HeldKey => ({
  kid: `${slot}${generation}`,
  slot,
  generation,
  createdAt,
})

describe('the clock of the signing keys', () => {
  it('publishes a key for longer than brokers, caches and an outage of a day need, before it signs', () => {
    expect(signingKeyClock(times).propagationSeconds).toBe(86_400 + 300 + 60 + 3_600)
  })

  it('keeps a key for longer than copies of resolve may sign with it and its last token lives', () => {
    expect(retireSeconds(times)).toBe(86_400 + 300 + 3_600 + 2 * 120)
  })

  it('replaces a key after 90 days, up to a tenth earlier, and begins early enough', () => {
    const context = signingKeyContext(times, now)
    const at = activateAt(now, context)
    expect(at.getTime()).toBeLessThanOrEqual(days(90).getTime())
    expect(at.getTime()).toBeGreaterThanOrEqual(days(81).getTime())
    expect(at.getTime() - prepareAt(now, context).getTime()).toBeGreaterThan(90_360_000)
  })

  it('never replaces a key by itself when it is told 0, and goes on looking whether brokers are given it', () => {
    const off = checkedSigningKeyTimes({ everySeconds: 0 })
    const credential = adopted({ active: key('a', 1), keys: [key('a', 1)] }, undefined, now)
    const step = nextStep(credential, signingKeyContext(off, days(7_000)))
    expect(step).toMatchObject({ kind: 'probe', slot: 'a' })
    const wait = nextStep(credential, signingKeyContext(off, now))
    expect(wait.kind === 'wait' && wait.until && wait.until < days(1)).toBe(true)
  })

  it.each([
    ['a name that is none', '{"every":3}', 'every'],
    ['a fraction', '{"readEverySeconds":0.5}', 'readEverySeconds'],
    ['a time before now', '{"tokenSeconds":-1}', 'tokenSeconds'],
    ['a text', '{"everySeconds":"90d"}', 'everySeconds'],
  ])('refuses %s by its name', (_, text, name) => {
    expect(() => parseSigningKeyTimes(text)).toThrow(name)
  })
})

describe('the state of the signing keys', () => {
  it('has a place that no cluster and no principal can have', () => {
    expect(signingKeys.cluster).not.toMatch(/^[a-z0-9-]+$/)
    expect(signingKeys.principal).not.toMatch(/^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$/)
  })

  it('begins with the first key at once in use', () => {
    const first = adopted({ active: key('a', 1), keys: [key('a', 1)] }, undefined, now)
    expect(slotToHandOut(first)).toBe('a')
    expect(first.slots.b.state).toBe('absent')
  })

  it('keeps whatever else is published for as long as if it had just signed', () => {
    const ring = { active: key('b', 4), keys: [key('a', 3), key('b', 4)] }
    const credential = adopted(ring, undefined, now)
    expect(credential.slots.a).toMatchObject({ state: 'draining', since: now, generation: 3 })
    const retired = new Date(now.getTime() + 90_540_000)
    expect(retiredAt(credential.slots.a, times)).toEqual(retired)
    // and the machine does not look before
    const settled = { ...credential, slots: { ...credential.slots, b: { ...credential.slots.b, checkedAt: retired } } }
    const stepAt = (at: number) => nextStep(settled, signingKeyContext(times, new Date(at))).kind
    expect([stepAt(retired.getTime() - 1), stepAt(retired.getTime())]).toEqual(['wait', 'fence'])
  })

  it('never gives a generation a second time', () => {
    const before = adopted({ active: key('a', 7), keys: [key('a', 7)] }, undefined, now)
    const after = adopted({ active: key('b', 2), keys: [key('b', 2)] }, before, now)
    expect(after.slots.a.generation).toBe(7)
  })

  it('is explained by a secret that is a step ahead, and by no other', () => {
    const before = adopted({ active: key('a', 1), keys: [key('a', 1)] }, undefined, now)
    const ready = { ...before, slots: { ...before.slots, b: { ...before.slots.a, state: 'ready' as const } } }
    const keys = [key('a', 1), key('b', 1)]
    expect(isExplained(ready, { active: key('a', 1), keys })).toBe(true)
    expect(isExplained(ready, { active: key('b', 1), keys })).toBe(true)
    expect(isExplained(ready, { active: key('b', 2), keys })).toBe(false)
    expect(isExplained(before, { active: key('b', 0), keys })).toBe(false)
    expect(isExplained(ready, { active: key('a', 1), keys: [key('a', 1)] })).toBe(false)
  })

  it.each([90, 0])(
    'is hurried by making the key in use old, and nothing else, even of keys that never rotate: %i',
    (every) => {
      const context = signingKeyContext(checkedSigningKeyTimes({ everySeconds: every * 86_400 }), now)
      const before = adopted({ active: key('a', 1), keys: [key('a', 1), key('b', 1)] }, undefined, now)
      const after = hurried(before, context)
      expect(activateAt(after.slots.a.since, context) <= now).toBe(true)
      expect(after.slots.b).toEqual(before.slots.b)
      expect(hurried(after, context)).toEqual(after)
    },
  )
})
