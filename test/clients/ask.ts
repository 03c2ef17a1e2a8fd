import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { installKafka, installPython } from '../../local/install.ts'
import { cleanEnvironment, javaCommand } from '../../local/processes.ts'
import { createTerminal } from '../../local/terminal.mjs'

/** A real Kafka client in a process of its own, which answers questions about itself. */
export type Client = {
  readonly ask: (question: Readonly<Record<string, unknown>>) => Promise<unknown>
  readonly stop: () => Promise<void>
}

const fileOf = (name: string): string => fileURLToPath(new URL(name, import.meta.url))

const answering = (child: ChildProcess): Client => {
  const { stdin, stdout, stderr } = child
  if (stdin === null || stdout === null || stderr === null) throw new Error('the client has no pipes')
  let said = ''
  stderr.on('data', (chunk) => {
    said = `${said}${chunk}`.slice(-4_000)
  })
  const waiting: ((line: string) => void)[] = []
  let ended = false
  const lines = createInterface({ input: stdout })
  lines.on('line', (line) => waiting.shift()?.(line))
  lines.on('close', () => {
    ended = true
    for (const tell of waiting.splice(0)) tell('')
  })
  return {
    ask: async (question) => {
      if (ended) throw new Error(`the client has ended: ${said}`)
      const line = await new Promise<string>((resolve) => {
        waiting.push(resolve)
        stdin.write(`${JSON.stringify(question)}\n`)
      })
      if (line === '') throw new Error(`the client ended without an answer: ${said}`)
      return JSON.parse(line)
    },
    stop: async () => {
      if (child.exitCode !== null) return
      const exit = once(child, 'exit')
      stdin.end()
      child.kill('SIGTERM')
      await exit
    },
  }
}

const signal = new AbortController().signal

/** Kafka's own Java client of the version that the local stack runs. */
export const startJavaClient = async (): Promise<Client> => {
  const classPath = await installKafka(createTerminal(), signal)
  const args = ['-XX:TieredStopAtLevel=1', '-Dlog4j2.level=OFF', '-cp', classPath, fileOf('java-client.java')]
  return answering(spawn(javaCommand(), args, { env: cleanEnvironment({}) }))
}

/** librdkafka as `confluent-kafka` brings it. */
export const startLibrdkafkaClient = async (): Promise<Client> => {
  const python = await installPython(createTerminal(), signal)
  return answering(spawn(python, [fileOf('librdkafka_client.py')], { env: cleanEnvironment({}) }))
}
