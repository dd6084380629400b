import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';

/** The text of uPlot, to stand inside a page. */
export interface PlottingLibrary {
  readonly script: string;
  readonly style: string;
}

/** Reads the installed plotting library. */
export async function plottingLibrary(): Promise<PlottingLibrary> {
  const require = createRequire(import.meta.url);
  const folder = dirname(require.resolve('uplot/package.json'));
  const [script, style] = await Promise.all(
    ['uPlot.iife.min.js', 'uPlot.min.css'].map((name) => readFile(join(folder, 'dist', name), 'utf8')),
  );
  return { script: script!, style: style! };
}
