#!/usr/bin/env node
// Compiles the AssemblyScript kernels of the package in the current folder, see `buildKernels`.
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { basename, dirname, join, relative, resolve } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { checkKernelModule } from './check-kernel-module.mjs';
import { packBinary } from './pack-binary.mjs';

const self = fileURLToPath(import.meta.url);
const packer = fileURLToPath(import.meta.resolve('./pack-binary.mjs'));
const suffix = '.kernel.ts';
const pieceLength = 14_000;

/** What the two builds of a module differ in. `madd` of `tensor-ops/assembly/math.ts` reads the feature at compile time. */
const builds = { simd128: ['simd'], relaxed: ['simd', 'relaxed-simd'] };

/**
 * tfjs's own memory declares a maximum; an import may not declare a smaller one. 65536 pages are all of wasm32.
 * The runtime is a stub and memory is imported and not exported: a kernel owns nothing but its code.
 */
const flags = [
  '--runtime',
  'stub',
  '--importMemory',
  '--noExportMemory',
  '--maximumMemory',
  '65536',
  '--noAssert',
  '--optimizeLevel',
  '3',
  '--shrinkLevel',
  '1',
  '--converge',
];

/**
 * Compiles every `assembly/<name>.kernel.ts` of a package into `src/generated/<name>.ts`, which exports
 * `<camelName>Binaries`, pairs of pieces of both builds, packed as text. Other files of `assembly` are there to be imported.
 * A module whose sources are those of its last compilation is left alone, and an output without a source is removed.
 *
 * @param {string} packageFolder
 * @returns {Promise<{compiled: string[], fresh: string[]}>} names of the modules.
 */
export async function buildKernels(packageFolder) {
  const assembly = join(packageFolder, 'assembly');
  const generated = join(packageFolder, 'src', 'generated');
  const report = { compiled: [], fresh: [] };
  if (!existsSync(assembly)) return report;
  const names = (await readdir(assembly)).filter((file) => file.endsWith(suffix)).map((file) => basename(file, suffix));
  await mkdir(generated, { recursive: true });
  for (const file of await readdir(generated)) {
    if (file.endsWith('.ts') && !names.includes(basename(file, '.ts'))) await rm(join(generated, file));
  }
  for (const name of names) {
    const source = join(assembly, name + suffix);
    const output = join(generated, `${name}.ts`);
    const stamp = `// Compiled from assembly/${name}${suffix} by tooling/build/kernels.mjs; sources ${await digestSources(source)}.\n`;
    if (existsSync(output) && (await readFile(output, 'utf8')).startsWith(stamp)) {
      report.fresh.push(name);
      continue;
    }
    const texts = [];
    for (const [build, features] of Object.entries(builds)) {
      const binary = await compile(source, features);
      checkKernelModule(`${name} (${build})`, binary);
      texts.push(packBinary(binary));
    }
    // Renamed into place, so that two builds at once never show a reader half a file.
    const draft = `${output}.${process.pid}`;
    await writeFile(draft, `${stamp}export const ${camelCase(name)}Binaries = [\n${pairs(texts).join('')}] as const;\n`);
    await rename(draft, output);
    report.compiled.push(name);
  }
  return report;
}

/**
 * The texts of both builds in pieces, side by side: gzip finds what they have in common only as far as it sees back, 32 kB.
 *
 * @param {string[]} texts
 * @returns {string[]} lines of the generated module
 */
function pairs(texts) {
  const count = Math.ceil(Math.max(...texts.map((text) => text.length)) / pieceLength);
  const piece = (text, i) => text.slice(Math.round((i * text.length) / count), Math.round(((i + 1) * text.length) / count));
  return Array.from({ length: count }, (_, i) => `  [${texts.map((text) => `'${piece(text, i)}'`).join(', ')}],\n`);
}

/** One digest over a kernel, all it imports, this script and the compiler's version. */
async function digestSources(entry) {
  const hash = createHash('sha256');
  const manifest = fileURLToPath(import.meta.resolve('assemblyscript/package.json'));
  hash.update(JSON.parse(await readFile(manifest, 'utf8')).version);
  for (const file of [self, packer, ...(await importedFiles(entry))]) hash.update('\0').update(await readFile(file));
  return hash.digest('hex').slice(0, 32);
}

/** The entry and every file that it imports by relative path, each once, in order of first import. */
async function importedFiles(entry, found = new Set()) {
  if (found.has(entry)) return found;
  found.add(entry);
  for (const [, path] of (await readFile(entry, 'utf8')).matchAll(/^(?:import|export)\b[^'"]*['"](\.[^'"]+)['"]/gm)) {
    await importedFiles(resolve(dirname(entry), `${path}.ts`), found);
  }
  return found;
}

/** @returns {Promise<Uint8Array>} the module. Throws with the compiler's own words. */
async function compile(source, features) {
  const asc = await import('assemblyscript/asc');
  const base = commonFolder([...(await importedFiles(source))]);
  let binary;
  const { error, stderr } = await asc.main(
    [relative(base, source), '--baseDir', base, '--outFile', 'kernel.wasm', ...flags, '--enable', features.join(',')],
    { writeFile: (_name, contents) => void (binary = contents) },
  );
  if (error) throw new Error(`${source}: ${error.message}\n${stderr.toString()}`);
  return binary;
}

/** The compiler takes no file above its base folder, and a kernel may import another package's mathematics. */
function commonFolder(files) {
  const [first, ...rest] = files.map((file) => dirname(file).split(/[\\/]/));
  const length = rest.reduce((shared, parts) => {
    const end = parts.findIndex((part, i) => part !== first[i]);
    return Math.min(shared, end < 0 ? parts.length : end);
  }, first.length);
  return first.slice(0, length).join('/') || '/';
}

function camelCase(name) {
  return name.replace(/-(.)/g, (_, letter) => letter.toUpperCase());
}

if (process.argv[1] && import.meta.url === pathToFileURL(process.argv[1]).href) {
  const { compiled, fresh } = await buildKernels(process.cwd());
  console.log(
    `kernels: ${compiled.length ? `compiled ${compiled.join(', ')}` : 'nothing to compile'}${fresh.length ? `; up to date: ${fresh.join(', ')}` : ''}`,
  );
}
