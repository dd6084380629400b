// `npm run mixfold -- ...`: the command line of packages/train, from its sources.
import { existsSync, readdirSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { installed, isMain, main, mustRun, root } from './command.mjs';
import { setup } from './setup.mjs';

const trainFolder = join(root, 'packages/train');
const bundle = join(trainFolder, 'dist/run/run-cli.js');

/**
 * Runs `mixfold` with these words, bundling the packages first if a source is newer than the bundle. Its exit code becomes that
 * of the process.
 *
 * @param {string[]} args - such as `['train', '--task', 'text']`
 * @throws {ScriptError} if the packages do not bundle
 */
export async function mixfold(args) {
  if (isStale()) {
    rmSync(bundle, { force: true });
    const command = installed('tsup', '--config', 'tsup.run.config.ts', '--silent');
    await mustRun('bundling mixfold', command, { cwd: trainFolder });
  }
  const { runCli } = await import(pathToFileURL(bundle).href);
  process.exitCode = await runCli(args);
}

function isStale() {
  if (!existsSync(bundle)) return true;
  const built = statSync(bundle).mtimeMs;
  const packages = readdirSync(join(root, 'packages')).map((name) => join(root, 'packages', name));
  const sources = packages.flatMap((folder) => [join(folder, 'package.json'), ...filesUnder(join(folder, 'src'))]);
  return [...sources, join(trainFolder, 'tsup.run.config.ts')].some((file) => statSync(file).mtimeMs > built);
}

/** Folders too: theirs is the time that changes when a file goes. */
function filesUnder(folder) {
  return readdirSync(folder, { recursive: true }).map((name) => join(folder, name));
}

if (isMain(import.meta)) {
  await main(async (args) => {
    await setup();
    await mixfold(args);
  });
}
