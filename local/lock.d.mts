export type ProcessIdentity = { readonly pid: number; readonly startedAt: string }
export declare const processStart: (pid: number) => string | undefined
export declare const isRunning: (identity: ProcessIdentity) => boolean
export declare const thisProcess: () => ProcessIdentity
export type LockAttempt =
  | { readonly release: () => void; readonly holder?: undefined }
  | { readonly holder: ProcessIdentity; readonly release?: undefined }
export declare const tryLock: (path: string) => LockAttempt
export declare const withLock: <T>(
  path: string,
  onWait: (holder: ProcessIdentity) => void,
  work: () => Promise<T>,
) => Promise<T>
