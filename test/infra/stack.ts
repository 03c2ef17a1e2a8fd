import { rmSync } from 'node:fs'
import { App, Stack } from 'aws-cdk-lib'
import { Template } from 'aws-cdk-lib/assertions'
import { type IVpc, Vpc } from 'aws-cdk-lib/aws-ec2'
import { Switchboard, type SwitchboardProps } from '../../infra/switchboard.ts'

export type Resource = {
  readonly Type: string
  // biome-ignore lint/suspicious/noExplicitAny: a template is what CloudFormation says it is
  readonly Properties: any
  readonly DependsOn?: readonly string[]
  readonly DeletionPolicy?: string
  readonly UpdateReplacePolicy?: string
}

const templateOf = (props?: SwitchboardProps | ((stack: Stack) => SwitchboardProps)): Template => {
  const app = new App({ analyticsReporting: false, context: { 'aws:cdk:bundling-stacks': [] } })
  try {
    const stack = new Stack(app, 'Switchboard')
    new Switchboard(stack, 'Switchboard', typeof props === 'function' ? props(stack) : props)
    return Template.fromStack(stack)
  } finally {
    rmSync(app.outdir, { recursive: true })
  }
}

/** A stack with one Switchboard in it, without its bundles: those take seconds and have a test of their own. */
export const synthesize = (props?: SwitchboardProps | ((stack: Stack) => SwitchboardProps)) => {
  const template = templateOf(props)
  const resources: Readonly<Record<string, Resource>> = template.toJSON().Resources
  const ofType = (type: string): Readonly<Record<string, Resource>> =>
    Object.fromEntries(
      Object.entries(resources)
        .filter(([, resource]) => resource.Type === type)
        .map(([logicalId, resource]) => [named(logicalId), resource]),
    )
  /** The properties of one resource; no name is needed where the stack has one of its type. */
  const properties = (type: string, name?: string): Resource['Properties'] => {
    const found = Object.entries(ofType(type)).filter(([candidate]) => name === undefined || candidate === name)
    const [first] = found
    if (first === undefined || found.length > 1)
      throw new Error(`expected one ${type} ${name ?? ''}, got ${Object.keys(ofType(type)).join(', ')}`)
    return first[1].Properties
  }
  return { template, resources, ofType, properties }
}

export type Synthesized = ReturnType<typeof synthesize>

/** `SwitchboardTablesLeases4967016D` is `TablesLeases`: the path of the construct without the hash. */
export const named = (logicalId: string): string => logicalId.replace(/^Switchboard(.+)[0-9A-F]{8}$/, '$1')

/** A value of a template as one line: references become `<TablesLeases.Arn>`, pseudo parameters `<AWS::Region>`. */
export const rendered = (value: unknown): string => {
  if (typeof value === 'string') return value
  if (typeof value === 'object' && value !== null) {
    if ('Ref' in value) return `<${named(String(value.Ref))}>`
    if ('Fn::GetAtt' in value && Array.isArray(value['Fn::GetAtt'])) {
      const [logicalId, attribute] = value['Fn::GetAtt']
      return `<${named(logicalId)}.${attribute}>`
    }
    if ('Fn::Join' in value && Array.isArray(value['Fn::Join'])) {
      const [separator, parts] = value['Fn::Join']
      return parts.map(rendered).join(separator)
    }
  }
  return JSON.stringify(value)
}

/** Every object and string in a template, however deep. */
export const walk = function* (value: unknown, path = ''): Generator<readonly [path: string, value: unknown]> {
  yield [path, value]
  if (typeof value !== 'object' || value === null) return
  for (const [key, inner] of Object.entries(value)) yield* walk(inner, `${path}/${key}`)
}

/** The CDK's own class fits its own interface only without `exactOptionalPropertyTypes`. */
export const aVpc = (stack: Stack): IVpc => new Vpc(stack, 'Vpc') as IVpc
