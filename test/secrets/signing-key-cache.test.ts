import { beforeEach, describe, expect, it } from 'vitest'
import { SwitchboardError } from '../../shared/domain/errors.ts'
import { createSigningKeyCache } from '../../shared/secrets/signing-key-cache.ts'
import type { SigningKeys } from '../../shared/secrets/signing-key-store.ts'
import { createSigningKeys } from '../fixtures/signing-keys.ts'

const first = createSigningKeys()
const second = createSigningKeys()

let stored: SigningKeys | undefined
let failing: boolean
let reads: number
let time: number
let stale: unknown[]
let keys: () => Promise<SigningKeys>

beforeEach(() => {
  stored = first
  failing = false
  reads = 0
  time = 1_000_000
  stale = []
  const read = async () => {
    reads++
    if (failing) throw new Error('throttled')
    return stored
  }
  keys = createSigningKeyCache(
    { read },
    () => new Date(time),
    (error) => void stale.push(error),
    300,
  )
})

const pass = (seconds: number): void => {
  time += seconds * 1000
}

describe('our signing keys', () => {
  it('are read once for everybody who asks at the same time', async () => {
    expect(await Promise.all([keys(), keys(), keys()])).toEqual([first, first, first])
    expect(reads).toBe(1)
  })

  it('are read again after five minutes, not before', async () => {
    await keys()
    stored = second
    pass(299)
    expect(await keys()).toBe(first)
    pass(1)
    expect(await keys()).toBe(second)
    expect(reads).toBe(2)
  })

  it('go on while they cannot be read, and somebody is told', async () => {
    await keys()
    failing = true
    pass(86_400)
    expect(await keys()).toBe(first)
    expect(stale).toHaveLength(1)
  })

  it('are asked for at most every 5 s while they cannot be read, so that no request waits for one more failure', async () => {
    await keys()
    failing = true
    pass(300)
    for (let second = 0; second < 10; second++) {
      await keys()
      pass(1)
    }
    expect(reads).toBe(3)
    failing = false
    stored = second
    expect(await keys()).toBe(second)
  })

  it('go on when the secret is suddenly empty', async () => {
    await keys()
    stored = undefined
    pass(300)
    expect(await keys()).toBe(first)
  })

  it('are unavailable for as long as there is none, and are there at once when rotate has made one', async () => {
    stored = undefined
    const failure = await keys().catch((error: unknown) => error)
    expect(failure).toBeInstanceOf(SwitchboardError)
    expect(failure).toMatchObject({ code: 'unavailable', retryAfterSeconds: 5 })
    stored = first
    expect(await keys()).toBe(first)
  })

  it('that could never be read are unavailable, not an unknown failure', async () => {
    failing = true
    await expect(keys()).rejects.toMatchObject({ code: 'unavailable' })
  })
})
