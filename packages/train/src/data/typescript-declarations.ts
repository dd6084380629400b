import { readdir, readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { InputError } from '../input-error';

/**
 * Real text that nearly every JavaScript checkout holds: the declarations of TypeScript's standard library (`lib/lib*.d.ts`), 2.5
 * MB.
 *
 * `lib.webworker*` is left out, for it is nearly a copy of `lib.dom.d.ts` and would leak validation text into the training text.
 * Files follow each other in alphabetical order.
 *
 * @throws InputError if TypeScript is not installed beside this package.
 */
export async function readTypescriptDeclarations(): Promise<{ bytes: Uint8Array; source: string }> {
  const packageFile = resolveTypescript();
  const { version } = JSON.parse(await readFile(packageFile, 'utf8')) as { version: string };
  const folder = join(dirname(packageFile), 'lib');
  const names = (await readdir(folder)).filter((name) => /^lib.*\.d\.ts$/.test(name) && !name.startsWith('lib.webworker')).sort();
  const files = await Promise.all(names.map((name) => readFile(join(folder, name))));
  return { bytes: Buffer.concat(files), source: `declarations of TypeScript ${version}` };
}

function resolveTypescript(): string {
  try {
    return createRequire(import.meta.url).resolve('typescript/package.json');
  } catch {
    throw new InputError('--data is not given and the default text is not here: npm install typescript, or give --data FILE');
  }
}
