import { join } from 'node:path';
import { writeFileAtomically } from '../checkpoint/write-file-atomically';
import { plottingLibrary } from '../page/plotting-library';
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
  const path = join(directory, 'report.html');
  await writeFileAtomically(path, reportHtml(data, await plottingLibrary()));
  return path;
}
