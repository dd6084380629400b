import { copyFileSync } from 'node:fs';
import { defineConfig } from 'tsup';

// The script of the archive that `npm run bench -- --pack` writes: everything but Dawn in one file.
export default defineConfig({
  entry: { bench: 'src/gpu/main.ts' },
  outDir: 'dist/gpu',
  outExtension: () => ({ js: '.mjs' }),
  format: ['esm'],
  target: 'node20',
  platform: 'node',
  noExternal: [/.*/],
  splitting: false,
  minify: true,
  clean: true,
  // tfjs asks for Node's own modules by `require`.
  banner: { js: "import { createRequire as nodeRequire } from 'node:module'; const require = nodeRequire(import.meta.url);" },
  define: { archiveCommit: JSON.stringify(process.env.MIXFOLD_BENCH_COMMIT ?? null) },
  onSuccess: async () => copyFileSync('src/peers/torch-server.py', 'dist/gpu/torch-server.py'),
});
