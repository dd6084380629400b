import { defineConfig } from 'tsup';

// One file that Node 20 can run: the packages' exports point at TypeScript.
export default defineConfig({
  entry: { main: 'src/main.ts' },
  format: ['esm'],
  target: 'node20',
  noExternal: [/^@mixfold\//],
  clean: true,
});
