import { appendFileSync } from 'node:fs';
import { mkdir, readdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { writeFileAtomically } from '../checkpoint/write-file-atomically';
import { InputError } from '../input-error';
import type { RunConfig } from './run-config';

/** One line of `log.jsonl`. */
export type LogLine = { event: string } & Record<string, unknown>;

/**
 * Refuses a folder that holds something other than an earlier run, before anything is written.
 *
 * @param isOwn - whether a folder that is not empty may be written over; default that it holds a run.
 * @throws InputError naming the folder and the cure.
 */
export async function checkRunFolder(directory: string, isOwn: (directory: string) => Promise<boolean> = isRun): Promise<void> {
  const cure = 'give another folder with --out';
  const found = await stat(directory).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return undefined;
    throw new InputError(`--out ${directory} cannot be used (${error.code}); ${cure}`);
  });
  if (found === undefined) return;
  if (!found.isDirectory()) throw new InputError(`--out ${directory} is a file; ${cure}`);
  const names = await readdir(directory).catch((error: NodeJS.ErrnoException) => {
    throw new InputError(`--out ${directory} cannot be read (${error.code}); ${cure}`);
  });
  if (names.length > 0 && !(await isOwn(directory)))
    throw new InputError(`--out ${directory} exists and is not a mixfold run; ${cure}`);
}

async function isRun(directory: string): Promise<boolean> {
  try {
    const config = JSON.parse(await readFile(join(directory, 'config.json'), 'utf8')) as { format?: unknown } | null;
    return typeof config?.format === 'string' && config.format.startsWith('mixfold run ');
  } catch {
    return false;
  }
}

/**
 * Makes the folder of a run, with its configuration and a log that holds the given lines. @throws InputError if it cannot be
 * written
 */
export async function beginRunFolder(directory: string, config: RunConfig, log: readonly LogLine[]): Promise<void> {
  try {
    await mkdir(directory, { recursive: true });
    await writeFileAtomically(join(directory, 'config.json'), `${JSON.stringify(config, null, 2)}\n`);
    await writeFileAtomically(join(directory, 'log.jsonl'), log.map((line) => `${JSON.stringify(line)}\n`).join(''));
  } catch (error) {
    throw new InputError(
      `--out ${directory} cannot be written (${(error as NodeJS.ErrnoException).code}); give another folder with --out`,
    );
  }
}

/** Appends a line to the log. */
export function appendLog(directory: string, line: LogLine): void {
  appendFileSync(join(directory, 'log.jsonl'), `${JSON.stringify(line)}\n`);
}

/** The lines of a log; a last line cut short by a crash is left out. @throws InputError if there is no log */
export async function readLog(directory: string): Promise<LogLine[]> {
  const path = join(directory, 'log.jsonl');
  const text = await readFile(path, 'utf8').catch((error: NodeJS.ErrnoException) => {
    throw new InputError(`${path} cannot be read (${error.code}); give a folder that mixfold train wrote`);
  });
  const lines = text.split('\n');
  lines.pop();
  return lines.map((line, i) => {
    try {
      const parsed = JSON.parse(line) as LogLine;
      if (typeof parsed?.event === 'string') return parsed;
    } catch {}
    throw new InputError(`${path} is damaged in line ${i + 1}; give a folder that mixfold train wrote`);
  });
}
