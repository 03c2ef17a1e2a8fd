import { marshall } from '@aws-sdk/util-dynamodb'
import { aclKey } from '../shared/domain/access.ts'
import { createAccessStore } from '../shared/store/access-store.ts'
import { createLeaseStore } from '../shared/store/lease-store.ts'
import type { Figure } from './figure.ts'
import { startLoopbackIssuer } from './loopback-issuer.ts'
import { accessOf, ask, startResolveHandler, teamOf } from './resolve-handler.ts'
import { dynamoAt, startSimulatedDynamo } from './simulated-dynamodb.ts'

const callers = 200

/** Every principal has what it needs, every write succeeds. */
const accessItem = (principal: string): string => {
  const { acls, policies } = accessOf(principal)
  return JSON.stringify({ Item: marshall({ principal, acls: acls.map(aclKey), policies }) })
}

/** What one resolve costs the database: the most that any of the callers' requests took. */
export const measure = async (): Promise<readonly Figure[]> => {
  const issuer = await startLoopbackIssuer()
  const dynamo = await startSimulatedDynamo((operation, { Key }) =>
    operation === 'GetItem' ? accessItem((Key as { principal: { S: string } }).principal.S) : '{}',
  )
  const client = dynamoAt(dynamo.endpoint)
  const send = await startResolveHandler(issuer.issuer, {
    access: createAccessStore(client, 'access'),
    leases: createLeaseStore(client, 'leases'),
  })
  const counts = { first: [] as number[], second: [] as number[], renewal: [] as number[], unchanged: [] as number[] }
  const counted = async <T>(into: number[], work: () => Promise<T>): Promise<T> => {
    const before = dynamo.requests()
    const result = await work()
    into.push(dynamo.requests() - before)
    return result
  }
  for (let caller = 0; caller < callers; caller++) {
    const token = issuer.mint({ sub: `service-${caller}`, team: teamOf(caller) })
    const question = { token, caller, instance: `instance-${caller}` }
    const { lease, etag } = await counted(counts.first, () => ask(send, question))
    await counted(counts.second, () => ask(send, { ...question, instance: `other-${caller}` }))
    await counted(counts.renewal, () => ask(send, { ...question, lease }))
    await counted(counts.unchanged, () => ask(send, { ...question, lease, etag }, 304))
  }
  client.destroy()
  dynamo.close()
  issuer.close()
  const exactly = (name: string, list: readonly number[], wanted: number): Figure[] => [
    { name: `${name}, most`, value: Math.max(...list), unit: 'requests', limit: wanted },
    // fewer would be a lease that nobody stored
    { name: `${name}, missing`, value: Math.max(...list.map((count) => wanted - count)), unit: 'requests', limit: 0 },
  ]
  return [
    { name: 'DynamoDB, first lease of a principal', value: Math.max(...counts.first), unit: 'requests', limit: 2 },
    { name: 'DynamoDB, another lease of it', value: Math.max(...counts.second), unit: 'requests', limit: 2 },
    ...exactly('DynamoDB, renewal', counts.renewal, 1),
    ...exactly('DynamoDB, renewal answered with 304', counts.unchanged, 1),
  ]
}
