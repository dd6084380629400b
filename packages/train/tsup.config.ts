import { preset } from '@mixfold/build/tsup';
import { defineConfig } from 'tsup';

const entry = { index: 'src/index.ts', 'cli/main': 'src/cli/main.ts' };

// ESM only: the package is a command and a library for Node.
export default defineConfig(preset({ entry, format: ['esm'], platform: 'node' }));
