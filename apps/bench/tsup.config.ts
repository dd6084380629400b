import { defineConfig } from 'tsup';

// Files that Node 20 can run: the packages' exports point at TypeScript.
export default defineConfig({
  entry: { main: 'src/main.ts' },
  format: ['esm'],
  target: 'node20',
  noExternal: [/^@mixfold\//],
  // They look for their own files beside themselves.
  external: ['onnxruntime-node', 'onnxruntime-web', '@jax-js/jax'],
  clean: ['dist/*.js'],
});
