import { mkdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type ArgsDef, type CommandDef, defineCommand } from 'citty';
import { writeFileAtomically } from '../checkpoint/write-file-atomically';
import { InputError } from '../input-error';
import { checkRunFolder } from '../run/run-folder';
import { type Device, startDevice } from '../run/start-device';
import { checkArguments } from './check-arguments';
import { deviceOptions, readDevice } from './device-options';
import { type Given, readText } from './read-options';

/** What a study tells while it runs: a line for people, and figures for programs. */
export type ShowRun = (text: string, figures: Record<string, unknown>) => void;

/** The figures of a study, and its files beside `result.json`, by name. */
export interface StudyOutcome {
  readonly result: object;
  readonly files: Readonly<Record<string, string>>;
}

/** A study that `mixfold reproduce` knows. */
export interface Study {
  readonly description: string;
  /** Its options, beside the folder and the device. */
  readonly options: ArgsDef;
  /** Reads options and inputs, before anything is written. @throws InputError */
  prepare(given: Readonly<Record<string, Given>>): Promise<(device: Device, show: ShowRun) => Promise<StudyOutcome>>;
}

/** The command of a study. */
export function studyCommand(name: string, study: Study): CommandDef<ArgsDef> {
  const options: ArgsDef = {
    ...study.options,
    out: { type: 'string', valueHint: 'DIR', description: `Folder of result.json and index.html; default runs/${name}` },
    ...deviceOptions,
  };
  return defineCommand({
    meta: { name, description: study.description },
    args: options,
    async run({ args, rawArgs }) {
      checkArguments(rawArgs, options, args);
      const given = args as unknown as Record<string, Given>;
      const directory = given.out === undefined ? `runs/${name}` : readText('out', given.out);
      const asked = readDevice(given);
      const run = await study.prepare(given);
      await checkRunFolder(directory, isStudy);
      const device = await startDevice(asked);
      await makeFolder(directory);
      const { isTTY } = process.stdout;
      const { result, files } = await run(device, (text, figures) => {
        process.stdout.write(isTTY ? `${text}\n` : `${JSON.stringify(figures)}\n`);
      });
      const json = `${JSON.stringify({ study: name, device, ...result }, null, 1)}\n`;
      for (const [file, content] of Object.entries({ 'result.json': json, ...files })) {
        await writeFileAtomically(join(directory, file), content);
      }
      process.stdout.write(isTTY ? `${join(directory, 'index.html')}\n` : `${JSON.stringify({ event: 'end', directory })}\n`);
    },
  });
}

/** Whether a folder holds the result of a study. */
async function isStudy(directory: string): Promise<boolean> {
  try {
    const result = JSON.parse(await readFile(join(directory, 'result.json'), 'utf8')) as { study?: unknown } | null;
    return typeof result?.study === 'string';
  } catch {
    return false;
  }
}

async function makeFolder(directory: string): Promise<void> {
  try {
    await mkdir(directory, { recursive: true });
  } catch (error) {
    throw new InputError(
      `--out ${directory} cannot be written (${(error as NodeJS.ErrnoException).code}); give another folder with --out`,
    );
  }
}
