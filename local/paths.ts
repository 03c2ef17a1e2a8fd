import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

export const root = dirname(dirname(fileURLToPath(import.meta.url)))
export const localFolder = join(root, '.local')
export const cacheFolder = join(localFolder, 'cache')
export const startFolder = join(localFolder, 'run')
export const testFolder = join(localFolder, 'test')
export const rotationTestFolder = join(localFolder, 'test-rotation')
export const rotationDemoFolder = join(localFolder, 'demo-rotation')
export const crawlDemoFolder = join(localFolder, 'demo-crawl')
export const providersDemoFolder = join(localFolder, 'demo-providers')

/** The Node that this file runs on; never the `node` of somebody's PATH. */
export const nodeFile = process.execPath
export const localBin = (name: string): string => join(root, 'node_modules/.bin', name)
