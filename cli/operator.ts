import { setTimeout as wait } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { compileDirectory } from '../shared/domain/directory.ts'
import type { CrawlMessage } from '../shared/store/crawl-queue.ts'
import { applyPolicy } from './apply.ts'
import { catalogAsJson, renderRows, renderUnused, searchCatalog } from './catalog.ts'
import { addClient, finishRotation, removeClient, rotateClient } from './client.ts'
import { findClusters, renderClusters } from './clusters.ts'
import { CommandError } from './command-error.ts'
import { cloudKeyOf, renderConfluentSetup, setUpConfluent } from './confluent.ts'
import { crawlClusters, crawlError, renderCrawl } from './crawl.ts'
import { findCredentials, renderCredentials } from './credentials.ts'
import { driftError, findDrift, renderDrift } from './drift.ts'
import { renderCost } from './dynamo-cost.ts'
import { ensureKeys } from './ensure-keys.ts'
import { explainAs, renderExplanation } from './explain.ts'
import { initPolicy, writePolicyFile } from './init.ts'
import { endLease, findLeases, renderLeases } from './leases.ts'
import { planAsJson, planPolicy, renderPlan } from './plan.ts'
import { readPolicy } from './read-policy.ts'
import { redrive } from './redrive.ts'
import { readRevocations, renderRevocations, restorePrincipal, revokePrincipal } from './revoke.ts'
import { readHistory, renderHistory, rollbackPolicy } from './rollback.ts'
import { rotateKeys } from './rotate-keys.ts'
import { openStack } from './stack.ts'
import { wholeNumber } from './whole-number.ts'
import { why } from './why.ts'

const clock = () => new Date()
const print = (line: string): void => void process.stdout.write(`${line}\n`)
const complain = (line: string): void => void process.stderr.write(`${line}\n`)

const failOn = (text: string | undefined): readonly string[] => {
  if (text === undefined) return []
  if (text === 'loses') return ['loses']
  if (text === 'moves') return ['loses', 'moves']
  throw new CommandError(`--fail-on takes \`loses\` or \`moves\`, got \`${text}\``, 2)
}

const parseLabels = (pairs: readonly string[]): Record<string, string> =>
  Object.fromEntries(
    pairs.map((pair) => {
      const at = pair.indexOf('=')
      if (at < 1) throw new CommandError(`--label takes key=value, got \`${pair}\``, 2)
      return [pair.slice(0, at), pair.slice(at + 1)]
    }),
  )

/**
 * What a platform team does with its own AWS credentials.
 * @param usage said when the words are no command
 * @param env keys of Confluent Cloud
 */
export const runOperator = async (argv: readonly string[], usage: string, env: NodeJS.ProcessEnv): Promise<void> => {
  const { values, positionals } = parseArgs({
    args: [...argv],
    allowPositionals: true,
    options: {
      stack: { type: 'string', default: 'Switchboard' },
      wait: { type: 'string' },
      finish: { type: 'boolean', default: false },
      as: { type: 'string' },
      produce: { type: 'string', multiple: true },
      consume: { type: 'string', multiple: true },
      principal: { type: 'string' },
      cluster: { type: 'string' },
      channel: { type: 'string' },
      slot: { type: 'string' },
      end: { type: 'string' },
      group: { type: 'string' },
      network: { type: 'string' },
      label: { type: 'string', multiple: true, default: [] },
      hours: { type: 'string', default: '24' },
      'fail-on': { type: 'string' },
      json: { type: 'boolean', default: false },
      now: { type: 'boolean', default: false },
      owner: { type: 'string' },
      unused: { type: 'boolean', default: false },
      source: { type: 'string' },
      'accept-drop': { type: 'boolean', default: false },
      'from-inventory': { type: 'boolean', default: false },
      out: { type: 'string' },
    },
  })
  // whoever reads has seen enough, such as `head`
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EPIPE') throw error
    process.exit(0)
  })
  const [command, file, ...rest] = positionals
  const waitSeconds = wholeNumber('--wait', values.wait ?? (command === 'crawl' ? '600' : '60'))

  if (command === 'apply' && file !== undefined && rest.length === 0) {
    const { policy, stack } = await readPolicy(file, () => openStack(values.stack), { now: clock(), complain })
    const { directories, access, credentials, queue, inventory } = stack
    const deps = { directories, access, credentials, queue, inventory }
    await applyPolicy(policy, { ...deps, report: print, clock, wait, waitSeconds })
  } else if (command === 'rollback' && rest.length === 0) {
    const revision = file === undefined ? undefined : wholeNumber('rollback', file)
    const { issuerUrl, directories, access, credentials, queue, inventory } = await openStack(values.stack)
    const stack = { issuerUrl, directories, access, credentials, queue, inventory }
    await rollbackPolicy(revision, { ...stack, report: print, clock, wait, waitSeconds })
  } else if (command === 'revisions' && file === undefined) {
    const history = await readHistory(await openStack(values.stack))
    if (values.json) print(JSON.stringify(history, null, 2))
    else renderHistory(history).forEach(print)
  } else if (command === 'plan' && file !== undefined && rest.length === 0) {
    const stopsAt = failOn(values['fail-on'])
    const { policy, stack } = await readPolicy(file, () => openStack(values.stack), { now: clock(), complain })
    const plan = await planPolicy(policy, stack, clock())
    if (values.json) print(JSON.stringify(planAsJson(plan), null, 2))
    else renderPlan(plan).forEach(print)
    const stopping = plan.moves.moves.filter(({ change }) => stopsAt.includes(change))
    if (stopping.length > 0)
      throw new CommandError(`--fail-on ${values['fail-on']}: ${stopping.length} rows under \`who moves\``)
  } else if (command === 'confluent' && file === 'setup' && rest[0] !== undefined && rest.length === 1) {
    const key = cloudKeyOf(env)
    const { policy, stack } = await readPolicy(rest[0], () => openStack(values.stack), { now: clock(), complain })
    const { directory } = compileDirectory(policy, '')
    const { CONFLUENT_ENDPOINT: url } = env
    const setup = await setUpConfluent(directory, values.cluster, {
      ...{ issuerUrl: stack.issuerUrl, key, url, fetch, now: clock() },
      report: values.json ? complain : print,
    })
    if (values.json) print(JSON.stringify(setup, null, 2))
    else renderConfluentSetup(setup).forEach(print)
  } else if (command === 'ensure-keys' && file === undefined) {
    const { issuerUrl, queue } = await openStack(values.stack)
    print(`keys at ${await ensureKeys({ issuerUrl, queue, fetch, clock, wait, waitSeconds })}`)
  } else if (command === 'rotate-keys' && file === undefined) {
    const { issuerUrl, queue } = await openStack(values.stack)
    // resolve reads its keys every 5 minutes
    const patience = values.now ? Math.max(waitSeconds, 420) : waitSeconds
    const lines = await rotateKeys(values.now, { issuerUrl, queue, fetch, clock, wait, waitSeconds: patience })
    lines.forEach(print)
  } else if (command === 'explain' && values.as !== undefined && file === undefined) {
    const { produce, consume, group, network } = values
    const asked = {
      principal: values.as,
      labels: parseLabels(values.label),
      intent: { produce, consume, group, network },
    }
    const explanation = await explainAs(asked, await openStack(values.stack), clock())
    if (values.json) print(JSON.stringify(explanation, null, 2))
    else renderExplanation(explanation).forEach(print)
  } else if (command === 'credentials' && file === undefined) {
    const { principal, cluster } = values
    const found = await findCredentials({ principal, cluster }, await openStack(values.stack), clock())
    if (values.json) print(JSON.stringify(found, null, 2))
    else renderCredentials(found, clock()).forEach(print)
  } else if (command === 'leases' && file === undefined && values.end !== undefined) {
    const { leases } = await openStack(values.stack)
    await endLease(values.end, values.principal, { leases, report: print }, clock())
  } else if (command === 'leases' && file === undefined) {
    const { principal, cluster, channel, slot } = values
    const stack = await openStack(values.stack)
    const leases = await findLeases({ principal, cluster, channel, slot }, stack, clock())
    if (values.json) print(JSON.stringify(leases, null, 2))
    else renderLeases(leases, (await stack.directories.readPointer()).policy, clock()).forEach(print)
  } else if ((command === 'revoke' || command === 'restore') && file !== undefined && rest.length === 0) {
    const stack = await openStack(values.stack)
    const change = command === 'revoke' ? revokePrincipal : restorePrincipal
    const who = { principal: file, cluster: values.cluster }
    await change(who, { ...stack, report: print, clock, wait, waitSeconds })
  } else if (command === 'redrive' && file === undefined) {
    const { queue, deadLetters, crawlQueue, crawlDeadLetters } = await openStack(values.stack)
    await redrive('rotate', { queue, deadLetters, report: print })
    const crawl = { send: (message: CrawlMessage) => crawlQueue.send([message]) }
    await redrive('crawl', { queue: crawl, deadLetters: crawlDeadLetters, report: print })
  } else if (command === 'revoked' && file === undefined) {
    const denied = await readRevocations(await openStack(values.stack))
    if (values.json) print(JSON.stringify(denied, null, 2))
    else renderRevocations(denied).forEach(print)
  } else if (command === 'crawl' && file === undefined) {
    const { cluster, source, 'accept-drop': acceptDrop } = values
    if (cluster !== undefined && source !== undefined)
      throw new CommandError('a cluster or a source: --cluster and --source exclude each other', 2)
    if (acceptDrop && cluster === undefined && source === undefined)
      throw new CommandError('--accept-drop is about one cluster or source; name it with --cluster or --source', 2)
    const stack = await openStack(values.stack)
    const report = values.json ? complain : print
    const crawled = await crawlClusters({ cluster, source, acceptDrop }, { ...stack, report, clock, wait, waitSeconds })
    if (values.json) print(JSON.stringify(crawled, null, 2))
    else renderCrawl(crawled).forEach(print)
    const error = crawlError(crawled)
    if (error !== undefined) throw error
  } else if (command === 'clusters' && file === undefined) {
    const found = await findClusters(await openStack(values.stack))
    if (values.json) print(JSON.stringify(found, null, 2))
    else renderClusters(found, clock()).forEach(print)
  } else if (command === 'catalog') {
    const { owner, cluster, unused } = values
    const stack = await openStack(values.stack)
    const startedAt = clock().getTime()
    const words = positionals.slice(1)
    const search = await searchCatalog(
      { words, owner, labels: parseLabels(values.label), cluster, unused },
      stack,
      clock(),
    )
    if (values.json) for await (const line of catalogAsJson(search, unused)) print(line)
    else {
      ;[...(await renderRows(search.rows)), ...(unused ? renderUnused(search) : [])].forEach(print)
      if (process.stderr.isTTY) complain(renderCost(stack.cost(), (clock().getTime() - startedAt) / 1000))
    }
  } else if (command === 'drift' && file === undefined) {
    const drift = await findDrift(values.cluster, await openStack(values.stack), clock())
    if (values.json) print(JSON.stringify(drift, null, 2))
    else renderDrift(drift).forEach(print)
    const error = driftError(drift)
    if (error !== undefined) throw error
  } else if (command === 'init' && file === undefined && values['from-inventory']) {
    const text = await initPolicy(await openStack(values.stack))
    if (values.out === undefined) process.stdout.write(text)
    else {
      await writePolicyFile(values.out, text)
      print(`${values.out} is written: read it, fill in what it asks for, then \`switchboard plan ${values.out}\``)
    }
  } else if (command === 'why' && file !== undefined && rest.length === 0) {
    const { logs, resolveLogGroupName } = await openStack(values.stack)
    const since = new Date(clock().getTime() - wholeNumber('--hours', values.hours) * 3_600_000)
    const lines = await why(file, logs, resolveLogGroupName, since)
    lines.forEach(print)
  } else if (command === 'client' && rest.length === 1) {
    const change = { add: addClient, rotate: values.finish ? finishRotation : rotateClient, remove: removeClient }[
      file ?? ''
    ]
    if (change === undefined) throw new CommandError(usage, 2)
    const { clients } = await openStack(values.stack)
    await change(rest[0] ?? '', { clients, report: print })
  } else throw new CommandError(usage, 2)
}
