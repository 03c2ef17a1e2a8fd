import { expect, it } from 'vitest'
import { aSwitchboard, created, ordersPolicy } from './a-switchboard.ts'

it('a client whose last answer was lost gets the settings again, not a 304 for what it never read', async () => {
  const { resolve, prepare, apply, setTime } = await aSwitchboard()
  await prepare('orders-api')
  const first = await resolve({ produce: [created] })
  const { id: lease } = first.body.lease as { readonly id: string }
  const ask = { headers: { 'if-none-match': first.headers.etag ?? '' } }
  await apply({ ...ordersPolicy, profiles: { balanced: { role: 'producer', properties: { acks: '1' } } } })
  await prepare('orders-api')
  setTime(60)
  const lost = await resolve({ produce: [created], lease }, ask)
  expect(lost.status).toBe(200)
  expect(lost.headers.etag).not.toBe(first.headers.etag)

  setTime(61)
  const again = await resolve({ produce: [created], lease }, ask)

  expect(again.status).toBe(200)
  expect(again.headers.etag).toBe(lost.headers.etag)
})
