#!/usr/bin/env node
import { CommandError } from './command-error.ts'

const usage = `usage: switchboard <command> [options]

for services: no AWS credentials
  resolve               ask for a lease and print it: a table on a terminal, else JSON;
                        --format json | java | librdkafka | kcat; --out <file> writes it for you alone (mode 0600)
  exec -- <command>     run a command with client files at $SWITCHBOARD_PROPERTIES_FILE and
                        $SWITCHBOARD_LIBRDKAFKA_FILE, kept fresh while it runs; --restart ends and starts it when
                        its credential is replaced, --stop-timeout <seconds> before it is killed (default 30)
  doctor                try each step from the token to the access on every broker, and say what to do; --json

  --url <url>           where Switchboard is (SWITCHBOARD_URL)
  --token-file <file>   who asks: SWITCHBOARD_TOKEN_FILE, or SWITCHBOARD_TOKEN,
                        or SWITCHBOARD_CLIENT_ID and SWITCHBOARD_CLIENT_SECRET
  --produce <channel>, --consume <channel>
                        what for, as often as needed; --group, --network, --instance,
                        --profile <name> or --profile producer=<name>
  --cluster <name>      which one, when the channels lie on several
  --role <role>         producer or consumer, when a file is for one of them and both were asked for
  --wait <seconds>      how long to wait while the access is being prepared (default 60)

for the platform team
  plan <policy.yaml>    what apply would do: rules, access, and who gains, loses or moves;
                        --fail-on loses exits 1 when somebody would lose, --fail-on moves also when somebody moves
  apply <policy.yaml>   check a policy and put it in force
  rollback [revision]   put the policy of an earlier revision in force again (default: the one before)
  revisions             which policies were in force, and when
  confluent setup <policy.yaml>
                        make Confluent Cloud trust our tokens, with an identity pool for each principal that a grant
                        names, and print what goes into the policy; --cluster when it has several. Repeating it changes
                        nothing. Needs CONFLUENT_CLOUD_API_KEY and CONFLUENT_CLOUD_API_SECRET
  ensure-keys           make the first signing key, once after the deploy
  rotate-keys           replace the signing keys ahead of their time, and nobody notices; --now for a key that somebody
                        else may have: its tokens are refused as soon as brokers have read the keys again
  explain --as <name>   why the policy in force decides as it does:
                        --produce and --consume <channel>, --group, --network, --label key=value
  leases                who holds a live lease: --principal, --cluster, --channel <channel>,
                        --slot <principal>@a for those who log in with that slot;
                        --end <lease id> --principal <name> takes one off the record
  credentials           each stored credential: its slots, what comes next and when, what failed:
                        --principal, --cluster
  revoke <principal>    refuse a principal, take its access and users away, and say when each takes effect;
                        --cluster <name> there only
  restore <principal>   end that; --cluster <name> there only
  revoked               who is revoked, and where
  redrive               queue again what rotate and crawl gave up
  crawl                 look at every cluster now, and follow it: --cluster <name or id> that one, --source <name> those of
                        one source; --accept-drop when listeners or clusters that are gone are meant to be; --wait <seconds>
                        (default 600)
  clusters              what was found: each cluster, its state, when it was last seen, what fails
  catalog [words]       channels and topics, who may use them and who does: --owner, --label key=value, --cluster;
                        --unused what nobody uses, with routes without a lease for 30 days and grants never used
  drift                 the policy in force against what was found: exits 1 with drift, 3 where it cannot be told;
                        --cluster <name> there only
  init --from-inventory a first policy from what was found, to be read and filled in; --out <file>
  why <request id>      the true reason behind an answer; --hours <n> looks further back (default 24)
  client add <id>       make a client id and print its secret, once
  client rotate <id>    print a second secret; --finish ends the older one
  client remove <id>    refuse the client from now on

  --stack <name>        the CloudFormation stack (default Switchboard)
  --wait <seconds>      how long to wait for access and keys (default 60)
  --json                plan, revisions, explain, leases, credentials, revoked, crawl, clusters, catalog, drift
                        and confluent setup for machines

These use the AWS credentials and region of your environment to read the stack's
outputs and to assume the operator role that the stack made.`

const [command = '', ...rest] = process.argv.slice(2)
const isService = (word: string): word is 'resolve' | 'exec' | 'doctor' => ['resolve', 'exec', 'doctor'].includes(word)

/** Whether help was asked of this command, not of the one that `exec` runs. */
const asksHelp = (argv: readonly string[]): boolean => {
  const own = argv.includes('--') ? argv.slice(0, argv.indexOf('--')) : argv
  return own.includes('--help') || own.includes('-h')
}

try {
  if (asksHelp(process.argv.slice(2))) process.stdout.write(`${usage}\n`)
  // each side loads what it needs: a service's command starts without the AWS clients
  else if (isService(command)) {
    const { runService } = await import('./service/run.ts')
    process.exitCode = await runService(command, rest, {
      env: process.env,
      write: (text) => void process.stdout.write(text),
      complain: (line) => void process.stderr.write(`switchboard: ${line}\n`),
      isInputTerminal: process.stdin.isTTY === true,
      isOutputTerminal: process.stdout.isTTY === true,
    })
  } else {
    const { runOperator } = await import('./operator.ts')
    await runOperator(process.argv.slice(2), usage, process.env)
  }
} catch (error) {
  const isUsage = error instanceof TypeError && 'code' in error && String(error.code).startsWith('ERR_PARSE_ARGS')
  process.stderr.write(`${error instanceof Error ? error.message : 'failed'}\n`)
  process.exitCode = error instanceof CommandError ? error.exitCode : isUsage ? 2 : 1
}
