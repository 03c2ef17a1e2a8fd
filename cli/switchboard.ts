#!/usr/bin/env node
import { setTimeout as wait } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { applyPolicy } from './apply.ts'
import { addClient, finishRotation, removeClient, rotateClient } from './client.ts'
import { CommandError } from './command-error.ts'
import { ensureKeys } from './ensure-keys.ts'
import { explainAs, renderExplanation } from './explain.ts'
import { findLeases, renderLeases } from './leases.ts'
import { planAsJson, planPolicy, renderPlan } from './plan.ts'
import { readPolicy } from './read-policy.ts'
import { readHistory, renderHistory, rollbackPolicy } from './rollback.ts'
import { openStack } from './stack.ts'
import { why } from './why.ts'

const usage = `usage: switchboard <command> [options]

  plan <policy.yaml>    what apply would do: rules, access, and who gains, loses or moves;
                        --fail-on loses exits 1 when somebody would lose, --fail-on moves also when somebody moves
  apply <policy.yaml>   check a policy and put it in force
  rollback [revision]   put the policy of an earlier revision in force again (default: the one before)
  revisions             which policies were in force, and when
  ensure-keys           make the first signing key, once after the deploy
  explain --as <name>   why the policy in force decides as it does:
                        --produce and --consume <channel>, --group, --network, --label key=value
  leases                who holds a live lease: --principal, --cluster, --channel <channel>
  why <request id>      the true reason behind an answer; --hours <n> looks further back (default 24)
  client add <id>       make a client id and print its secret, once
  client rotate <id>    print a second secret; --finish ends the older one
  client remove <id>    refuse the client from now on

options
  --stack <name>        the CloudFormation stack (default Switchboard)
  --wait <seconds>      how long to wait for access and keys (default 60)
  --json                plan, revisions, explain and leases for machines

It uses the AWS credentials and region of your environment to read the stack's
outputs and to assume the operator role that the stack made.`

const clock = () => new Date()
const print = (line: string): void => void process.stdout.write(`${line}\n`)
const complain = (line: string): void => void process.stderr.write(`${line}\n`)

const wholeNumber = (option: string, text: string): number => {
  const value = Number(text)
  if (!Number.isInteger(value) || value < 1)
    throw new CommandError(`${option} takes a whole number from 1, got \`${text}\``, 2)
  return value
}

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

const main = async (argv: readonly string[]): Promise<void> => {
  const { values, positionals } = parseArgs({
    args: [...argv],
    allowPositionals: true,
    options: {
      stack: { type: 'string', default: 'Switchboard' },
      wait: { type: 'string', default: '60' },
      finish: { type: 'boolean', default: false },
      as: { type: 'string' },
      produce: { type: 'string', multiple: true },
      consume: { type: 'string', multiple: true },
      principal: { type: 'string' },
      cluster: { type: 'string' },
      channel: { type: 'string' },
      group: { type: 'string' },
      network: { type: 'string' },
      label: { type: 'string', multiple: true, default: [] },
      hours: { type: 'string', default: '24' },
      'fail-on': { type: 'string' },
      json: { type: 'boolean', default: false },
      help: { type: 'boolean', short: 'h' },
    },
  })
  const [command, file, ...rest] = positionals
  if (values.help === true) return print(usage)
  const waitSeconds = wholeNumber('--wait', values.wait)

  if (command === 'apply' && file !== undefined && rest.length === 0) {
    const { policy, stack } = await readPolicy(file, () => openStack(values.stack), { now: clock(), complain })
    const { directories, access, queue } = stack
    await applyPolicy(policy, { directories, access, queue, report: print, clock, wait, waitSeconds })
  } else if (command === 'rollback' && rest.length === 0) {
    const revision = file === undefined ? undefined : wholeNumber('rollback', file)
    const { directories, access, queue } = await openStack(values.stack)
    await rollbackPolicy(revision, { directories, access, queue, report: print, clock, wait, waitSeconds })
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
  } else if (command === 'ensure-keys' && file === undefined) {
    const { issuerUrl, queue } = await openStack(values.stack)
    print(`keys at ${await ensureKeys({ issuerUrl, queue, fetch, clock, wait, waitSeconds })}`)
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
  } else if (command === 'leases' && file === undefined) {
    const { principal, cluster, channel } = values
    const leases = await findLeases({ principal, cluster, channel }, await openStack(values.stack), clock())
    if (values.json) print(JSON.stringify(leases, null, 2))
    else renderLeases(leases, clock()).forEach(print)
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

try {
  await main(process.argv.slice(2))
} catch (error) {
  const isUsage = error instanceof TypeError && 'code' in error && String(error.code).startsWith('ERR_PARSE_ARGS')
  process.stderr.write(`${error instanceof Error ? error.message : 'failed'}\n`)
  process.exitCode = error instanceof CommandError ? error.exitCode : isUsage ? 2 : 1
}
