import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { writeFileAtomically } from '../checkpoint/write-file-atomically';
import { readLog } from '../run/run-folder';
import { reportData } from './report-data';
import { reportHtml } from './report-html';

/**
 * Writes `report.html` from the log of a run: one file that needs no network.
 *
 * @returns Path of the report.
 * @throws InputError if the folder has no log.
 */
export async function writeReport(directory: string): Promise<string> {
  const data = reportData(await readLog(directory), directory);
  const require = createRequire(import.meta.url);
  const uplot = dirname(require.resolve('uplot/package.json'));
  const [script, style] = await Promise.all(
    ['uPlot.iife.min.js', 'uPlot.min.css'].map((name) => readFile(join(uplot, 'dist', name), 'utf8')),
  );
  const path = join(directory, 'report.html');
  await writeFileAtomically(path, reportHtml(data, { script: script!, style: style! }));
  return path;
}
