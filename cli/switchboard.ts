#!/usr/bin/env node
import { readFile } from 'node:fs/promises'
import { setTimeout as wait } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { applyPolicy } from './apply.ts'
import { CommandError } from './command-error.ts'
import { ensureKeys } from './ensure-keys.ts'
import { parsePolicyFile } from './policy-file.ts'
import { openStack } from './stack.ts'

const usage = `usage: switchboard <command> [options]

  apply <policy.yaml>   check a policy and put it in force
  ensure-keys           make the first signing key, once after the deploy

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

const main = async (argv: readonly string[]): Promise<void> => {
  const { values, positionals } = parseArgs({
    args: [...argv],
    allowPositionals: true,
    options: {
      stack: { type: 'string', default: 'Switchboard' },
      wait: { type: 'string', default: '60' },
      help: { type: 'boolean', short: 'h' },
    },
  })
  const [command, file, ...rest] = positionals
  if (values.help === true) return print(usage)
  const waitSeconds = Number(values.wait)
  if (!Number.isInteger(waitSeconds) || waitSeconds < 1)
    throw new CommandError(`--wait takes whole seconds, got \`${values.wait}\``, 2)

  if (command === 'apply' && file !== undefined && rest.length === 0) {
    const policy = await readPolicy(file)
    const { directories, access, queue } = await openStack(values.stack)
    await applyPolicy(policy, { directories, access, queue, report: print, clock, wait, waitSeconds })
  } else if (command === 'ensure-keys' && file === undefined) {
    const { issuerUrl, queue } = await openStack(values.stack)
    print(`keys at ${await ensureKeys({ issuerUrl, queue, fetch, clock, wait, waitSeconds })}`)
  } else throw new CommandError(usage, 2)
}

try {
  await main(process.argv.slice(2))
} catch (error) {
  const isUsage = error instanceof TypeError && 'code' in error && String(error.code).startsWith('ERR_PARSE_ARGS')
  process.stderr.write(`${error instanceof Error ? error.message : 'failed'}\n`)
  process.exitCode = error instanceof CommandError ? error.exitCode : isUsage ? 2 : 1
}
