// What `npm test` asks of the packages as a user would get them: built, packed, and loaded from the tarball.
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { installed, mustRun, pnpm, root, ScriptError } from './command.mjs';
import { quiet } from './setup.mjs';
import { extractTarball, readTarball } from './tarball.mjs';

const unwanted = [/\.test\.[cm]?[jt]s$/, /(^|\/)reference\.ts$/, /(^|\/)test-[^/]*$/, /(^|\/)\.turbo\//, /tsconfig|tsup\.config/];
const installScripts = ['preinstall', 'install', 'postinstall', 'prepare'];

/** @returns {{name: string, folder: string, manifest: Record<string, any>}[]} the packages that are not private */
export function publishedPackages() {
  return readdirSync(join(root, 'packages'))
    .map((name) => join(root, 'packages', name))
    .filter((folder) => existsSync(join(folder, 'package.json')))
    .map((folder) => ({ folder, manifest: JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')) }))
    .filter(({ manifest }) => !manifest.private)
    .map(({ folder, manifest }) => ({ name: manifest.name, folder, manifest }));
}

/** Builds every package into its `dist`. */
export async function buildPackages() {
  await mustRun('building the packages', pnpm('exec', 'turbo', 'run', 'build', '--output-logs=errors-only'), { env: quiet });
}

/** Packs one package as it would be published. @returns {Promise<string>} path of its tarball */
export async function pack({ folder, name, manifest }, destination) {
  await mustRun(`packing ${name}`, pnpm('pack', '--pack-destination', destination), { cwd: folder, env: quiet });
  return join(destination, `${name.replace('@', '').replace('/', '-')}-${manifest.version}.tgz`);
}

/** The tarball holds what it should, and nothing else; its manifest names no workspace and runs nothing. */
export function checkTarball(tarball) {
  const files = readTarball(tarball);
  const names = [...files.keys()];
  const manifest = JSON.parse(files.get('package.json').toString());
  const faults = names
    .filter((name) => unwanted.some((pattern) => pattern.test(name)))
    .map((name) => `${name} does not belong in it`);
  for (const name of ['LICENSE', 'README.md']) if (!files.has(name)) faults.push(`${name} is missing`);
  for (const target of new Set(targetsOf(manifest))) if (!files.has(target)) faults.push(`${target} is exported but missing`);
  for (const script of installScripts) if (manifest.scripts?.[script]) faults.push(`has the script ${script}`);
  for (const [name, range] of Object.entries({ ...manifest.dependencies, ...manifest.peerDependencies })) {
    if (range.startsWith('workspace:')) faults.push(`${name} has the range ${range}`);
  }
  if (!names.some((name) => name.endsWith('.map'))) faults.push('has no source maps');
  if (faults.length > 0) throw new ScriptError(faults.join('\n'));
}

function targetsOf({ exports, main, types, bin }) {
  const leaves = (value) => (typeof value === 'string' ? [value] : Object.values(value ?? {}).flatMap(leaves));
  return [exports, main, types, bin].flatMap(leaves).map((path) => path.replace(/^\.\//, ''));
}

/** publint finds no error, warning or suggestion. */
export async function checkPublint(tarball) {
  const { publint } = await import('publint');
  const { formatMessage } = await import('publint/utils');
  const bytes = readFileSync(tarball);
  const { messages, pkg } = await publint({
    strict: true,
    pack: { tarball: bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length) },
  });
  if (messages.length > 0)
    throw new ScriptError(messages.map((message) => formatMessage(message, pkg, { color: false })).join('\n'));
}

/** Types resolve as the code does, in ESM and (where there is a CJS twin) in CJS. */
export async function checkTypes({ manifest }, tarball) {
  const profile = hasTwin(manifest) ? 'node16' : 'esm-only';
  await mustRun('attw', installed('@arethetypeswrong/cli', '--profile', profile, '--no-color', '--no-emoji', tarball));
}

/**
 * A user's folder: the packed packages in its node_modules beside what they depend on.
 *
 * @param {Map<string, string>} tarballs - by package name
 */
export function makeConsumer(folder, packages, tarballs) {
  rmSync(folder, { recursive: true, force: true });
  const modules = join(folder, 'node_modules');
  for (const { name } of packages) extractTarball(tarballs.get(name), join(modules, name));
  for (const { folder: source, manifest } of packages) {
    for (const dependency of Object.keys({ ...manifest.dependencies, ...manifest.peerDependencies })) {
      const target = [join(source, 'node_modules', dependency), join(root, 'node_modules', dependency)].find((path) =>
        existsSync(path),
      );
      const link = join(modules, dependency);
      if (dependency.startsWith('@mixfold/') || !target || existsSync(link)) continue;
      mkdirSync(join(link, '..'), { recursive: true });
      symlinkSync(target, link, 'junction');
    }
  }
}

/** Every entry loads in plain Node, as ESM and CJS with the same names, and every command answers `--help`. */
export async function checkLoads({ name, manifest }, consumer) {
  const node = (...args) => mustRun(`loading ${name}`, [process.execPath, ...args], { cwd: consumer });
  for (const entry of Object.keys(manifest.publishConfig.exports).filter((path) => path !== './package.json')) {
    const path = JSON.stringify(name + entry.slice(1));
    const list = 'console.log(Object.keys(m).filter((key) => key !== "default" && key !== "module.exports").sort().join())';
    const esm = await node('--input-type=module', '-e', `const m = await import(${path}); ${list}`);
    if (!esm.trim()) throw new ScriptError(`${path} exports nothing`);
    const cjs = hasTwin(manifest) ? await node('-e', `const m = require(${path}); ${list}`) : esm;
    if (esm !== cjs) throw new ScriptError(`${path} exports ${esm.trim()} as ESM, but ${cjs.trim()} as CJS`);
  }
  for (const path of Object.values(manifest.bin ?? {})) await node(join('node_modules', name, path), '--help');
}

function hasTwin({ publishConfig }) {
  return publishConfig.exports['.'].require !== undefined;
}
