import { type Document, isMap, isScalar, isSeq, parseDocument } from 'yaml'
import { confluentIds, confluentNames } from './confluent/process.ts'
import { LocalError } from './errors.ts'
import type { StackState } from './state.ts'

/** What of a stack goes into a policy in place of the addresses that it was written with. */
export type PolicyPlaces = Pick<StackState, 'aws' | 'issuer' | 'clusters' | 'msk' | 'confluent'> & {
  readonly certificate: string
}

/** The callers of a policy that show a secret. */
export const clientsOf = (source: string): readonly string[] => {
  const identities = parseDocument(source).get('identities')
  if (!isSeq(identities)) return []
  return identities.items.flatMap((rule) => (isMap(rule) && rule.has('client') ? [String(rule.get('client'))] : []))
}

/** Its sources, at the simulated control planes. */
const renderCrawl = (document: Document, { aws, confluent }: PolicyPlaces): void => {
  const sources = document.get('crawl')
  if (!isMap(sources)) return
  for (const { key } of sources.items) {
    const path = ['crawl', String(isScalar(key) ? key.value : key)]
    if (document.getIn([...path, 'provider']) === 'msk') {
      document.setIn([...path, 'regions'], [aws.region])
      continue
    }
    const { cloud, kafka, registry } = confluent.secrets
    document.setIn([...path, 'secret'], cloud)
    document.setIn([...path, 'keys'], { [confluentIds.kafka]: kafka, [confluentIds.registry]: registry })
  }
}

/** A cluster of Confluent Cloud: whatever its listeners are, here it has one. */
const renderConfluent = (document: Document, name: string, { confluent, certificate }: PolicyPlaces): void => {
  if (!confluentNames.includes(name))
    throw new LocalError(
      `the local stack calls its Confluent cluster ${confluentNames.join(' or ')}, the policy \`${name}\``,
    )
  const path = ['clusters', name]
  document.setIn([...path, 'id'], confluentIds.kafka)
  document.setIn([...path, 'ca'], certificate)
  document.setIn([...path, 'admin', 'secret'], confluent.secrets.kafka)
  document.deleteIn([...path, 'listeners'])
  document.setIn([...path, 'bootstrap'], confluent.bootstrap)
  document.setIn([...path, 'environment'], confluentIds.environment)
  document.setIn([...path, 'cloudKey', 'secret'], confluent.secrets.cloud)
  if (!document.hasIn([...path, 'schemaRegistry'])) return
  document.setIn([...path, 'schemaRegistry'], { url: confluent.registryUrl, id: confluentIds.registry })
}

/** The kinds of credential that a listener of a policy is for, or none. */
const kindsOf = (document: Document, path: readonly unknown[]): readonly unknown[] => {
  const auth = document.getIn([...path, 'auth'])
  return isSeq(auth) ? auth.items.map((item) => (isScalar(item) ? item.value : item)) : []
}

/**
 * The same policy, comments and all, with this stack's issuer, listeners, certificate, admin secrets, MSK cluster and control planes.
 * @throws LocalError when the policy names a cluster or a network that the local stack does not have
 */
export const renderPolicy = (source: string, places: PolicyPlaces): string => {
  const { issuer, clusters, msk, certificate } = places
  const document = parseDocument(source)
  if (document.errors[0] !== undefined) throw new LocalError(`the policy is no YAML: ${document.errors[0].message}`)
  document.setIn(['identities', 0, 'issuer'], issuer.url)
  const written = document.get('clusters')
  if (!isMap(written)) throw new LocalError('the policy has no `clusters`')
  for (const { key } of written.items) {
    const name = String(isScalar(key) ? key.value : key)
    if (document.getIn(['clusters', name, 'provider']) === 'confluent') {
      renderConfluent(document, name, places)
      continue
    }
    const cluster = name === 'payments' || name === 'analytics' ? clusters[name] : undefined
    if (cluster === undefined) {
      throw new LocalError(`the local stack runs \`payments\` and \`analytics\`, the policy names \`${name}\``)
    }
    const path = ['clusters', name]
    document.setIn([...path, 'ca'], certificate)
    document.setIn([...path, 'admin', 'secret'], cluster.admin.secretArn)
    if (document.getIn([...path, 'provider']) === 'msk') {
      if (name !== 'analytics') throw new LocalError(`the local stack has MSK for \`analytics\` only, not \`${name}\``)
      document.setIn([...path, 'arn'], msk.clusterArn)
    }
    const addresses: Record<string, string> = { 'vpc-local': cluster.inside, public: cluster.outside }
    const listeners = document.getIn([...path, 'listeners'])
    if (!isSeq(listeners)) throw new LocalError(`cluster \`${name}\` has no \`listeners\``)
    for (const index of listeners.items.keys()) {
      const network = String(document.getIn([...path, 'listeners', index, 'network']))
      const isForIam = kindsOf(document, [...path, 'listeners', index]).includes('msk-iam')
      const bootstrap = isForIam ? cluster.iam : addresses[network]
      if (bootstrap === undefined) {
        throw new LocalError(`the local stack has the networks \`vpc-local\` and \`public\`, not \`${network}\``)
      }
      document.setIn([...path, 'listeners', index, 'bootstrap'], bootstrap)
    }
  }
  renderCrawl(document, places)
  return document.toString({ lineWidth: 0 })
}
