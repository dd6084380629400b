import { defineConfig } from 'tsup';

// What a checkout runs: Node 20 loads no TypeScript, so the sources of all our packages go into one folder.
export default defineConfig({
  entry: { 'run-cli': 'src/cli/run-cli.ts', main: 'src/cli/main.ts' },
  outDir: 'dist/run',
  format: ['esm'],
  target: 'es2022',
  platform: 'node',
  noExternal: [/^@mixfold\//],
  dts: false,
  sourcemap: true,
  clean: true,
  splitting: true,
});
