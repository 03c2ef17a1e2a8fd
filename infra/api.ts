import { Validations } from 'aws-cdk-lib'
import { AccessLogFormat } from 'aws-cdk-lib/aws-apigateway'
import {
  type CfnStage,
  HttpApi,
  HttpMethod,
  HttpRoute,
  HttpRouteKey,
  HttpStage,
  LogGroupLogDestination,
} from 'aws-cdk-lib/aws-apigatewayv2'
import { HttpIamAuthorizer } from 'aws-cdk-lib/aws-apigatewayv2-authorizers'
import { HttpLambdaIntegration } from 'aws-cdk-lib/aws-apigatewayv2-integrations'
import type { IFunction } from 'aws-cdk-lib/aws-lambda'
import type { RetentionDays } from 'aws-cdk-lib/aws-logs'
import { Construct } from 'constructs'
import { logGroup } from './logs.ts'

export type ApiProps = { readonly development: boolean; readonly logRetention: RetentionDays }

/** What clients reach. It knows no paths: the function answers unknown ones too, with problems of its own shape. */
export class Api extends Construct {
  readonly url: string
  readonly #api: HttpApi
  readonly #stage: HttpStage

  constructor(scope: Construct, id: string, props: ApiProps) {
    super(scope, id)
    this.#api = new HttpApi(this, 'Api', {
      apiName: 'switchboard',
      description: 'Resolves intents to leases',
      createDefaultStage: false,
    })
    this.url = this.#api.apiEndpoint

    this.#stage = new HttpStage(this, 'Stage', {
      httpApi: this.#api,
      stageName: '$default',
      autoDeploy: true,
      // a thousand instances that restart at once get through; what loops does not take the account's whole quota
      throttle: { rateLimit: 2_000, burstLimit: 1_000 },
      accessLogSettings: {
        destination: new LogGroupLogDestination(logGroup(this, 'AccessLogs', props)),
        format: AccessLogFormat.custom(JSON.stringify(accessLogFields)),
      },
    })
  }

  /** Sends every request to the function. */
  sendEverythingTo(target: IFunction): void {
    const integration = new HttpLambdaIntegration('Function', target)
    const route = new HttpRoute(this, 'EveryRequest', {
      httpApi: this.#api,
      routeKey: HttpRouteKey.DEFAULT,
      integration,
    })
    // API Gateway checks the signature and says whose it is; which principal that makes is the policy's matter
    new HttpRoute(this, 'SignedRequest', {
      httpApi: this.#api,
      routeKey: HttpRouteKey.with('/v1/aws/resolve', HttpMethod.POST),
      integration,
      authorizer: new HttpIamAuthorizer(),
    })
    const polled = new HttpRoute(this, 'PolledRequest', {
      httpApi: this.#api,
      routeKey: HttpRouteKey.with('/servicegw', HttpMethod.GET),
      integration,
    })
    const stage = this.#stage.node.defaultChild as CfnStage
    // its clients ask once a second for ever: they have their own room and cannot take that of resolve
    stage.routeSettings = { 'GET /servicegw': { ThrottlingRateLimit: 500, ThrottlingBurstLimit: 500 } }
    // CloudFormation refuses settings of a route that is not there yet
    this.#stage.node.addDependency(polled)
    for (const open of [route, polled])
      Validations.of(open).acknowledge({
        id: 'AwsSolutions::AwsSolutions-APIG4',
        reason:
          'The function verifies every caller against the policy in force, which holds the trusted issuers; keys, ' +
          'metadata and health are public.',
      })
  }
}

/** Never the query string: in the ancestor's contract it holds what a caller asks for. Never a header. */
const accessLogFields = {
  requestId: '$context.requestId',
  time: '$context.requestTimeEpoch',
  ip: '$context.identity.sourceIp',
  method: '$context.httpMethod',
  path: '$context.path',
  status: '$context.status',
  bytes: '$context.responseLength',
  milliseconds: '$context.responseLatency',
  functionMilliseconds: '$context.integrationLatency',
  functionStatus: '$context.integrationStatus',
}
