import type { AddressInfo } from 'node:net'
import { connect, createServer } from 'node:net'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { openSecondAddress } from '../../local/demos/crawl/second-address.ts'
import { differences } from '../../local/demos/rights.ts'

const echo = createServer((socket) => socket.on('error', () => {}).pipe(socket))
beforeAll(() => new Promise<void>((resolve) => void echo.listen(0, '127.0.0.1', resolve)))
afterAll(() => void echo.close())

const say = (address: string): Promise<string> =>
  new Promise((resolve, reject) => {
    const [host = '', port = ''] = address.split(':')
    const socket = connect({ host, port: Number(port) }, () => socket.write('hello'))
    socket.once('error', reject)
    socket.once('data', (data) => {
      socket.destroy()
      resolve(data.toString())
    })
  })

test('a second address leads to the same place, is refused while it is down, and is the same when it is back', async () => {
  const second = await openSecondAddress(`127.0.0.1:${(echo.address() as AddressInfo).port}`)
  expect(await say(second.address)).toBe('hello')

  await second.down()
  await expect(say(second.address)).rejects.toThrow('ECONNREFUSED')

  await second.up()
  expect(await say(second.address)).toBe('hello')
  await second.down()
})

test('rights differ where one may and the other may not, and where only one of them was tried', () => {
  const a = new Map([
    ['produce x', true],
    ['consume x', false],
    ['group x', true],
  ])
  const b = new Map([
    ['produce x', true],
    ['consume x', true],
  ])
  expect(differences(a, a)).toEqual([])
  expect(differences(a, b)).toEqual(['consume x', 'group x'])
})
