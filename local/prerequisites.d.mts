export type Prerequisite = {
  readonly name: string
  readonly partOf?: string
  readonly minimum: readonly [number, number]
  readonly command: string
  readonly args: readonly string[]
  readonly pattern: RegExp
  readonly install: string
}
export declare const prerequisites: readonly Prerequisite[]
export declare const parseVersion: (prerequisite: Prerequisite, output: string) => readonly [number, number] | undefined
export declare const judgePrerequisite: (prerequisite: Prerequisite, output: string | undefined) => string | undefined
