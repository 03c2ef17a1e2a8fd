import { App, Stack, Validations } from 'aws-cdk-lib'
import { AwsSolutionsChecks } from 'cdk-nag'
import { Switchboard } from './switchboard.ts'

const contextFlag = (name: string): boolean => {
  const value: unknown = app.node.tryGetContext(name) ?? false
  if (value === true || value === 'true') return true
  if (value === false || value === 'false') return false
  throw new Error(`the context \`${name}\` is \`${String(value)}\`; allowed are \`true\` and \`false\``)
}

const app = new App({ analyticsReporting: false })
Validations.of(app).addPlugins(new AwsSolutionsChecks(app))

const issuerUrl: string | undefined = app.node.tryGetContext('issuerUrl')
const signingKeys: string | undefined = app.node.tryGetContext('signingKeys')
const mskClusters: string | undefined = app.node.tryGetContext('mskClusters')
const mskIamClusters: string | undefined = app.node.tryGetContext('mskIamClusters')
const confluentUrl: string | undefined = app.node.tryGetContext('confluentUrl')
const stack = new Stack(app, 'Switchboard', { description: 'Switchboard: a serverless access layer for Kafka' })
new Switchboard(stack, 'Switchboard', {
  development: contextFlag('development'),
  ...(issuerUrl === undefined ? {} : { issuerUrl }),
  ...(signingKeys === undefined ? {} : { signingKeys: JSON.parse(signingKeys) }),
  ...(confluentUrl === undefined ? {} : { confluentUrl }),
  ...(mskClusters === undefined ? {} : { mskClusters: mskClusters.split(',') }),
  ...(mskIamClusters === undefined ? {} : { mskIamClusters: mskIamClusters.split(',') }),
})
