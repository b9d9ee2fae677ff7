import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { brotliCompressSync, constants, gzipSync } from 'node:zlib'
import react from '@vitejs/plugin-react'
import { defineConfig, type Plugin } from 'vite'

/** Text worth compressing; pictures are compressed already, and small files fit one packet as they are. */
const TEXT = /\.(?:js|css|html|svg|json|webmanifest)$/
const MIN_BYTES = 1_024

/**
 * Writes `.br` and `.gz` beside each file once, so that no server compresses anything while it serves. Last
 * of all: until it is written, Vite may still change a file.
 */
function precompress(): Plugin {
  return {
    name: 'precompress',
    apply: 'build',
    async writeBundle({ dir = '' }, bundle) {
      for (const fileName of Object.keys(bundle)) {
        const path = join(dir, fileName)
        const source = await readFile(path)
        if (!TEXT.test(fileName) || source.length < MIN_BYTES) continue
        const params = { [constants.BROTLI_PARAM_SIZE_HINT]: source.length }
        await writeFile(`${path}.br`, brotliCompressSync(source, { params }))
        await writeFile(`${path}.gz`, gzipSync(source))
      }
    },
  }
}

export default defineConfig({
  root: import.meta.dirname,
  plugins: [react(), precompress()],
  build: { outDir: 'dist', target: 'es2023', assetsInlineLimit: 0 },
  server: {
    // `npm run dev -w web` beside `make start`: everything that is not the app goes to the services.
    proxy: {
      '^/(\\w+\\.v1\\.\\w+/|live/items/|config.json$)':
        process.env['BIDMESH_URL'] ?? 'http://localhost:8080',
    },
  },
})
