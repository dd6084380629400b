// JavaScript, for tsup leaves a package's imports to Node, and Node 20 loads no TypeScript.
import { existsSync, readFileSync } from 'node:fs';

/**
 * The tsup configuration of a published package: ESM and CJS, types for both, source maps. The entries are those of the package's
 * own `exports`, which point at source, so `dist` mirrors `src` as `publishConfig.exports` promises. What the manifest names as a dependency
 * or peer stays external.
 *
 * @param {import('tsup').Options} [overrides] - options that differ for one package.
 * @returns {import('tsup').Options}
 */
export function preset(overrides = {}) {
  return {
    entry: entriesOf(JSON.parse(readFileSync('package.json', 'utf8'))),
    format: ['esm', 'cjs'],
    target: 'es2022',
    platform: 'neutral',
    // Declarations alone: tsc has checked the types.
    dts: { compilerOptions: { noCheck: true } },
    sourcemap: true,
    clean: true,
    // What two entries share stays one module, so a page that loads both gets one copy.
    splitting: true,
    treeshake: true,
    ...overrides,
  };
}

/** @param {{exports: Record<string, string>}} manifest */
function entriesOf({ exports }) {
  const sources = Object.values(exports).filter((target) => target.startsWith('./src/'));
  for (const source of sources) if (!existsSync(source)) throw new Error(`package.json exports ${source}, which does not exist`);
  return Object.fromEntries(sources.map((source) => [source.replace(/^\.\/src\//, '').replace(/\.ts$/, ''), source]));
}
