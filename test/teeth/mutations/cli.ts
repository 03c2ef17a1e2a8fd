import type { Mutation } from '../mutation.ts'

const cliTests = ['test/cli/service']
const cliServiceTests = ['test/e2e/cli-services.test.ts']
const privateFile = 'cli/service/private-file.ts'
const exec = 'cli/service/exec.ts'
const execPlan = 'cli/service/exec-plan.ts'

export const cliMutations: readonly Mutation[] = [
  {
    name: 'switchboard resolve: everybody on the machine can read the file',
    edits: [
      { file: privateFile, find: "'wx', 0o600)", replace: "'wx', 0o644)" },
      { file: privateFile, find: 'await chmod(temporary, 0o600)', replace: 'await chmod(temporary, 0o644)' },
    ],
    tests: cliTests,
  },
  {
    name: 'switchboard resolve: a file can be read while it is half written',
    edits: [
      {
        file: privateFile,
        find: 'const temporary = join(',
        replace: 'const temporary = target || join(',
      },
      { file: privateFile, find: "open(temporary, 'wx', 0o600)", replace: "open(temporary, 'w', 0o600)" },
    ],
    tests: cliTests,
  },
  {
    name: 'switchboard resolve: a link in place of the file is replaced',
    edits: [
      {
        file: privateFile,
        find: 'if (found.isSymbolicLink())',
        replace: 'if (found.isSymbolicLink()) return\n  if (found.isFIFO())',
      },
    ],
    tests: cliTests,
  },
  {
    name: 'switchboard: a token goes to another machine in plain text',
    edits: [
      {
        file: 'cli/service/arguments.ts',
        find: "if (url.protocol !== 'https:' && !(url.protocol === 'http:' && isLoopback))",
        replace: "if (url.protocol !== 'https:' && !isLoopback && url.protocol !== 'http:')",
      },
    ],
    tests: cliTests,
  },
  {
    name: 'switchboard exec: the command inherits the secret',
    edits: [
      { file: execPlan, find: '!secretVariables.includes(name) && ', replace: '' },
      {
        file: execPlan,
        find: "const secretVariables = ['SWITCHBOARD_TOKEN', 'SWITCHBOARD_CLIENT_SECRET']\n",
        replace: '',
      },
    ],
    tests: cliTests,
  },
  {
    name: 'switchboard exec: the files stay when the command has ended',
    edits: [{ file: exec, find: 'if (home !== undefined) await rm(', replace: 'if (home === null) await rm(' }],
    tests: cliTests,
  },
  {
    name: 'switchboard exec: the lease is not given back',
    edits: [
      { file: exec, find: 'if (lease !== undefined) await release(', replace: 'if (lease === null) await release(' },
    ],
    tests: cliTests,
  },
  {
    name: 'switchboard exec: the files do not follow what Switchboard says',
    edits: [{ file: exec, find: ': refresh(nextLife ?? current))', replace: ': Promise.resolve())' }],
    tests: cliTests,
  },
  {
    name: 'switchboard exec: a signal ends it, and the command goes on',
    edits: [
      {
        file: exec,
        find: 'if (command !== undefined) command.kill(signal)',
        replace: 'if (command !== undefined) process.exit(1)',
      },
    ],
    tests: cliTests,
  },
  {
    name: 'switchboard exec: KAFKA_OPTS forgets what was allowed before',
    edits: [
      {
        file: 'cli/service/client-files.ts',
        find: 'const values = [...words, option].filter(',
        replace: 'const values = [option].filter(',
      },
    ],
    tests: cliTests,
  },
  {
    name: 'switchboard doctor: the clock of this machine judges a token',
    edits: [
      {
        file: 'cli/service/doctor.ts',
        find: 'new Date(clock().getTime() + (health.skewMs ?? 0))',
        replace: 'clock()',
      },
    ],
    tests: cliTests,
  },
  {
    name: 'switchboard doctor: only the bootstrap servers are tried',
    edits: [
      {
        file: 'cli/service/kafka-checks.ts',
        find: 'const advertised = await inTurns(brokers, logIn)',
        replace: "const advertised: Login[] = brokers.map(() => ({ reach: { step: 'login' }, kafka: undefined }))",
      },
    ],
    tests: cliServiceTests,
  },
  {
    name: 'switchboard doctor: what the ACLs of the cluster say is not looked at',
    edits: [
      {
        file: 'cli/service/kafka-checks.ts',
        find: 'operations: entry?.topicAuthorizedOperations ?? 0',
        replace: 'operations: -1',
      },
    ],
    tests: cliServiceTests,
  },
]
