// `npm run setup`: packages, kernels, and a browser for the tests. Every other script calls it first; when all is in place it takes about
// two seconds.
import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { isMain, main, mustRun, pnpm, root, ScriptError } from './command.mjs';
import { installChromium } from './install-chromium.mjs';

const stamp = join(root, 'node_modules', '.installed-for');

/**
 * Brings a checkout to the state in which everything runs.
 *
 * @param {{browser?: boolean}} [options] - `browser`: also look for Chromium, and install Debian's as root
 * @throws {ScriptError} in one line, after the output of what failed
 */
export async function setup({ browser = false } = {}) {
  assertNodeVersion();
  await installPackages();
  await mustRun('building the kernels', pnpm('exec', 'turbo', 'run', 'kernels', '--output-logs=errors-only'), { env: quiet });
  if (browser) await installChromium();
}

/** Keeps pnpm and turbo from asking, advertising and counting. */
export const quiet = { CI: 'true', TURBO_TELEMETRY_DISABLED: '1', DO_NOT_TRACK: '1', npm_config_update_notifier: 'false' };

async function installPackages() {
  const wanted = installationDigest();
  if (existsSync(stamp) && readFileSync(stamp, 'utf8') === wanted) return;
  console.log('Installing the packages (a few minutes the first time)');
  // The stamp goes first and comes last: an installation cut short is taken up again by the next call.
  rmSync(stamp, { force: true });
  await mustRun('installing the packages', pnpm('install', '--frozen-lockfile', '--prefer-offline', '--reporter=append-only'), {
    env: quiet,
  });
  writeFileSync(stamp, wanted);
}

/** Of everything that decides what is installed. */
function installationDigest() {
  const hash = createHash('sha256').update(`${process.platform} ${process.arch} ${process.versions.modules}`);
  for (const file of ['pnpm-lock.yaml', 'pnpm-workspace.yaml', ...manifests()])
    hash.update(`\0${file}\0`).update(readFileSync(join(root, file)));
  return hash.digest('hex');
}

function manifests() {
  const folders = ['packages', 'apps', 'tooling'].filter((folder) => existsSync(join(root, folder)));
  const members = folders.flatMap((folder) => readdirSync(join(root, folder)).map((name) => `${folder}/${name}/package.json`));
  return ['package.json', ...members.sort().filter((file) => existsSync(join(root, file)))];
}

function assertNodeVersion() {
  const [major, minor] = process.versions.node.split('.').map(Number);
  if (major < 20 || (major === 20 && minor < 19))
    throw new ScriptError(`Node 20.19 or newer is needed, this is ${process.versions.node}`);
}

if (isMain(import.meta)) {
  await main(async ([stranger]) => {
    if (stranger !== undefined) throw new ScriptError(`setup takes no arguments, got '${stranger}'`);
    await setup({ browser: true });
    console.log('Ready');
  });
}
