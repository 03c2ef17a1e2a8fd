import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { type BuildResult, build } from 'esbuild'
import { bundling, loadedWhenNeeded, substitutes } from '../infra/bundling.ts'

export const repository = fileURLToPath(new URL('..', import.meta.url))

export type Bundle = { readonly file: string; readonly bytes: number; readonly inputs: readonly string[] }

/** Bundles as the deploy does, or `plain`: with every package as it is published. */
export const bundle = async (entry: string, folder: string, { plain = false } = {}): Promise<Bundle> => {
  const { target, minify, sourceMap, sourcesContent, mainFields, banner } = bundling
  const file = join(folder, `${entry.replaceAll('/', '-').replace(/\.ts$/, '')}.mjs`)
  const { metafile }: BuildResult<{ metafile: true }> = await build({
    entryPoints: [join(repository, entry)],
    absWorkingDir: repository,
    outfile: file,
    bundle: true,
    platform: 'node',
    format: 'esm',
    target,
    minify,
    sourcemap: sourceMap,
    sourcesContent,
    mainFields,
    alias: plain
      ? {}
      : Object.fromEntries(Object.entries(substitutes).map(([name, path]) => [name, join(repository, path)])),
    external: plain ? [] : [...loadedWhenNeeded],
    banner: { js: banner },
    metafile: true,
    logLevel: 'warning',
  })
  const output = Object.entries(metafile.outputs).find(([path]) => path.endsWith('.mjs'))?.[1]
  return { file, bytes: output?.bytes ?? Number.NaN, inputs: Object.keys(output?.inputs ?? {}) }
}

/** A folder of one's own for as long as `use` runs. */
export const withFolder = async <T>(use: (folder: string) => Promise<T>): Promise<T> => {
  const folder = mkdtempSync(join(tmpdir(), 'switchboard-bench-'))
  try {
    return await use(folder)
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}
