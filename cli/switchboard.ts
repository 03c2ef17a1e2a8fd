#!/usr/bin/env node
import { readFile } from 'node:fs/promises'
import { setTimeout as wait } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { applyPolicy } from './apply.ts'
import { addClient, finishRotation, removeClient, rotateClient } from './client.ts'
import { CommandError } from './command-error.ts'
import { ensureKeys } from './ensure-keys.ts'
import { explainAs, renderExplanation } from './explain.ts'
import { parsePolicyFile } from './policy-file.ts'
import { openStack } from './stack.ts'
import { why } from './why.ts'

const usage = `usage: switchboard <command> [options]

  apply <policy.yaml>   check a policy and put it in force
  ensure-keys           make the first signing key, once after the deploy
  explain --as <name>   why the policy in force decides as it does:
                        --produce and --consume <channel>, --group, --network, --label key=value
  why <request id>      the true reason behind an answer; --hours <n> looks further back (default 24)
  client add <id>       make a client id and print its secret, once
  client rotate <id>    print a second secret; --finish ends the older one
  client remove <id>    refuse the client from now on

options
  --stack <name>        the CloudFormation stack (default Switchboard)
  --wait <seconds>      how long to wait for access and keys (default 60)

It uses the AWS credentials and region of your environment to read the stack's
outputs and to assume the operator role that the stack made.`

const clock = () => new Date()
const print = (line: string): void => void process.stdout.write(`${line}\n`)

const readPolicy = async (file: string) => {
  const text = await readFile(file, 'utf8').catch(() => {
    throw new CommandError(`cannot read \`${file}\`; name a policy file`)
  })
  const parsed = parsePolicyFile(text)
  if (parsed.ok) return parsed.policy
  for (const { line, column, detail } of parsed.issues) process.stderr.write(`${file}:${line}:${column} ${detail}\n`)
  throw new CommandError(`\`${file}\` has ${parsed.issues.length} problems; nothing was changed`)
}

const wholeNumber = (option: string, text: string): number => {
  const value = Number(text)
  if (!Number.isInteger(value) || value < 1)
    throw new CommandError(`${option} takes a whole number from 1, got \`${text}\``, 2)
  return value
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
      group: { type: 'string' },
      network: { type: 'string' },
      label: { type: 'string', multiple: true, default: [] },
      hours: { type: 'string', default: '24' },
      json: { type: 'boolean', default: false },
      help: { type: 'boolean', short: 'h' },
    },
  })
  const [command, file, ...rest] = positionals
  if (values.help === true) return print(usage)
  const waitSeconds = wholeNumber('--wait', values.wait)

  if (command === 'apply' && file !== undefined && rest.length === 0) {
    const policy = await readPolicy(file)
    const { directories, access, queue } = await openStack(values.stack)
    await applyPolicy(policy, { directories, access, queue, report: print, clock, wait, waitSeconds })
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
