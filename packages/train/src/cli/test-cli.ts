import { execFile, spawn } from 'node:child_process';
import { mkdir, readFile, rm } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const packageFolder = fileURLToPath(new URL('../..', import.meta.url));
// A folder for each process: test files run side by side.
const outDir = `dist/test/${process.pid}`;

/** The command line as it is run: bundled, in a process of its own. */
export const mainFile = join(packageFolder, outDir, 'main.js');

/** Bundles the command line from the sources as they are. */
export async function bundleCli(): Promise<void> {
  const packageFile = createRequire(import.meta.url).resolve('tsup/package.json');
  const { bin } = JSON.parse(await readFile(packageFile, 'utf8')) as { bin: { tsup: string } };
  await mkdir(join(packageFolder, outDir), { recursive: true });
  const args = [join(dirname(packageFile), bin.tsup), '--config', 'tsup.run.config.ts', '--out-dir', outDir, '--silent'];
  const { code, stderr } = await run(args, packageFolder);
  if (code !== 0) throw new Error(`bundling failed: ${stderr}`);
}

/** Removes what `bundleCli` has made. */
export const removeCli = (): Promise<void> => rm(join(packageFolder, outDir), { recursive: true, force: true });

/** What a command printed, and how it ended. */
export interface Ended {
  code: number | null;
  stdout: string;
  stderr: string;
}

/** Runs `mixfold` with these words in a folder. */
export const mixfold = (folder: string, ...args: string[]): Promise<Ended> => run([mainFile, ...args], folder);

function run(args: string[], cwd: string): Promise<Ended> {
  return new Promise((resolve) => {
    const child = execFile(process.execPath, args, { cwd, maxBuffer: 2 ** 26 }, (_, stdout, stderr) =>
      resolve({ code: child.exitCode, stdout, stderr }),
    );
  });
}

/** Runs `mixfold` and sends it a signal when a line of its output matches. */
export function interrupted(folder: string, args: string[], when: RegExp, signal: NodeJS.Signals): Promise<Ended> {
  return new Promise((resolve) => {
    const child = spawn(process.execPath, [mainFile, ...args], { cwd: folder });
    let [stdout, stderr, sent] = ['', '', false];
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      stdout += text;
      if (!sent && when.test(stdout)) sent = child.kill(signal);
    });
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      stderr += text;
    });
    child.on('close', (code) => resolve({ code, stdout, stderr }));
  });
}

/** The lines of a JSON log. */
export const lines = (text: string): Record<string, unknown>[] =>
  text
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Record<string, unknown>);
