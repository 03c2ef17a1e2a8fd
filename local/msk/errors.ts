/** Errors as the MSK service model has them, and the three that AWS answers before a service sees the request. */
const statuses = {
  BadRequestException: 400,
  UnauthorizedException: 401,
  ForbiddenException: 403,
  NotFoundException: 404,
  ConflictException: 409,
  TooManyRequestsException: 429,
  InternalServerErrorException: 500,
  ServiceUnavailableException: 503,
  MissingAuthenticationTokenException: 403,
  InvalidSignatureException: 403,
  UnknownOperationException: 404,
} as const

export type MskErrorType = keyof typeof statuses

export class MskError extends Error {
  readonly type: MskErrorType
  readonly invalidParameter: string | undefined

  constructor(type: MskErrorType, message: string, invalidParameter?: string) {
    super(message)
    this.name = 'MskError'
    this.type = type
    this.invalidParameter = invalidParameter
  }

  get status(): number {
    return statuses[this.type]
  }
}
