// Commands of the local stack, started by bootstrap.mjs on the project's own Node.
import { parseArgs } from 'node:util'
import { renderEnvLines } from './env-lines.ts'
import { LocalError } from './errors.ts'
import { mintWorkloadToken, type TokenRequest } from './issuer.ts'
import { startFolder } from './paths.ts'
import { runningStack, type StartOptions, start } from './start.ts'
import { runTeeth } from './teeth.ts'
import { createTerminal } from './terminal.mjs'
import { runTests } from './test.ts'

const usage = `usage: npm start [-- [--once] [--msk-clusters <count>]]
       npm test
       npm run demo [-- rotation|crawl|providers]
       npm run test:teeth [-- [--only <text>] [--without-stack] [--list]]
       npm run -s local -- env
       npm run -s local -- client <id>
       npm run -s local -- token <principal> [--audience <text>] [--algorithm RS256|ES256|EdDSA]
                                 [--expires-in=<seconds>] [--claim <name>=<value> ...]`

class UsageError extends Error {}

const algorithms = ['RS256', 'ES256', 'EdDSA'] as const
const parseAlgorithm = (text: string): (typeof algorithms)[number] => {
  const found = algorithms.find((algorithm) => algorithm === text)
  if (found === undefined) throw new UsageError(`--algorithm is one of ${algorithms.join(', ')}, got \`${text}\``)
  return found
}

const parseTokenRequest = (args: readonly string[]): TokenRequest => {
  const { values, positionals } = parseArgs({
    args: [...args],
    allowPositionals: true,
    options: {
      audience: { type: 'string' },
      algorithm: { type: 'string' },
      'expires-in': { type: 'string' },
      claim: { type: 'string', multiple: true },
    },
  })
  const [principal, ...rest] = positionals
  if (principal === undefined || rest.length > 0) throw new UsageError('token takes one principal')
  const expiresIn = values['expires-in']
  if (expiresIn !== undefined && !/^-?\d+$/.test(expiresIn)) {
    throw new UsageError(`--expires-in takes whole seconds, got \`${expiresIn}\``)
  }
  const claims = (values.claim ?? []).map((text) => {
    const at = text.indexOf('=')
    if (at < 1) throw new UsageError(`--claim takes <name>=<value>, got \`${text}\``)
    return [text.slice(0, at), text.slice(at + 1)] as const
  })
  return {
    principal,
    ...(values.audience !== undefined && { audience: values.audience }),
    ...(values.algorithm !== undefined && { algorithm: parseAlgorithm(values.algorithm) }),
    ...(expiresIn !== undefined && { expiresInSeconds: Number(expiresIn) }),
    claims: Object.fromEntries(claims),
  }
}

const parseStart = (args: readonly string[]): StartOptions => {
  const options = { once: { type: 'boolean', default: false }, 'msk-clusters': { type: 'string' } } as const
  const { once, 'msk-clusters': count } = parseArgs({ args: [...args], options }).values
  if (count === undefined) return { once }
  if (!/^\d{1,4}$/.test(count)) throw new UsageError(`--msk-clusters takes 0 to 9999, got \`${count}\``)
  return { once, mskClusters: Number(count) }
}

const requireStack = () => {
  const state = runningStack(startFolder)
  if (state === undefined) throw new LocalError('no stack is up: run `npm start` in another terminal first')
  return state
}

const requireClient = (args: readonly string[], known: readonly string[]): string => {
  const [id, ...rest] = args
  if (id === undefined || rest.length > 0) throw new UsageError('client takes one id')
  if (known.includes(id)) return id
  throw new UsageError(`the stack has the clients ${known.map((name) => `\`${name}\``).join(', ')}, got \`${id}\``)
}

const local = async ([command, ...args]: readonly string[]): Promise<void> => {
  if (command === 'env' && args.length === 0) {
    process.stdout.write(`${renderEnvLines(requireStack()).join('\n')}\n`)
  } else if (command === 'client') {
    const { clients } = requireStack()
    process.stdout.write(`${clients[requireClient(args, Object.keys(clients))]}\n`)
  } else if (command === 'token') {
    const request = parseTokenRequest(args)
    process.stdout.write(`${await mintWorkloadToken(requireStack(), request)}\n`)
  } else throw new UsageError(usage)
}

const demo = async ([name, ...rest]: readonly string[]): Promise<number> => {
  if (rest.length > 0) throw new UsageError(usage)
  if (name === 'rotation' || name === 'crawl' || name === 'providers') {
    const { runScenario } = await import('./demo-scenarios.ts')
    return runScenario(name)
  }
  if (name !== undefined) throw new UsageError(usage)
  const state = requireStack()
  const { runDemo } = await import('./demo.ts')
  await runDemo(state, (text) => process.stdout.write(`${text}\n`))
  return 0
}

const run = async ([command, ...args]: readonly string[]): Promise<number> => {
  switch (command) {
    case 'start':
      return start(parseStart(args))
    case 'test':
      return runTests()
    case 'local':
      await local(args)
      return 0
    case 'demo':
      return demo(args)
    case 'teeth':
      return runTeeth(args)
    default:
      throw new UsageError(usage)
  }
}

let code: number
try {
  code = await run(process.argv.slice(2))
} catch (error) {
  const isUsage =
    error instanceof UsageError ||
    (error instanceof Error && 'code' in error && String(error.code).startsWith('ERR_PARSE_ARGS'))
  createTerminal(process.stderr).fail(error instanceof Error ? error.message : 'failed')
  code = isUsage ? 2 : 1
}
// A job that was interrupted may still hold sockets; what has to be stopped has been stopped by now.
process.exit(code)
