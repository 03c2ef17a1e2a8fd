export type Terminal = {
  readonly step: <T>(name: string, run: () => Promise<T>) => Promise<T>
  readonly line: (text?: string) => void
  readonly done: (name: string, detail: string) => void
  readonly fail: (text: string) => void
  readonly title: (text: string) => void
}
export declare const renderSeconds: (milliseconds: number) => string
export declare const createTerminal: (out?: NodeJS.WriteStream) => Terminal
