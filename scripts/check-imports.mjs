// Imports point down only: the storeys of the house, and who may stand on whom. `npm test` runs it over the workspace.
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative, resolve, sep } from 'node:path';
import { isMain, main, root, ScriptError } from './command.mjs';

/** What each package may import of the others. */
const below = {
  'tensor-ops': [],
  'mixed-product': ['tensor-ops'],
  'positional-shift': ['mixed-product', 'tensor-ops'],
  aft: ['tensor-ops'],
  'subspace-attention': ['tensor-ops'],
  train: ['aft', 'subspace-attention', 'positional-shift', 'mixed-product', 'tensor-ops'],
};

// Statements start a line: the same words inside a message do not count.
const importPattern =
  /^\s*(?:import|export)\b(\s+type\b)?[^'"`;()]*?\bfrom\s*['"]([^'"]+)['"]|^\s*import\s*['"]([^'"]+)['"]|\bimport\s*\(\s*['"]([^'"]+)['"]/gm;

/**
 * Import specifiers of a source, comments left out.
 *
 * @param {string} source
 * @returns {{path: string, kind: 'type' | 'static' | 'dynamic'}[]}
 */
export function importsOf(source) {
  const code = source.replace(/\/\*[\s\S]*?\*\/|(^|\s)\/\/.*$/gm, '$1');
  return [...code.matchAll(importPattern)].map(([, type, from, bare, dynamic]) => ({
    path: from ?? bare ?? dynamic,
    kind: dynamic ? 'dynamic' : type ? 'type' : 'static',
  }));
}

/**
 * What is wrong with the imports of one file.
 *
 * @param {string} packageName - folder under packages
 * @param {string} file - path inside the package: 'src/aft-simple/composed.ts'
 * @param {string} source
 * @param {string[]} dependencies - names that its manifest declares for users
 * @returns {string[]} one sentence per fault
 */
export function faultsOf(packageName, file, source, dependencies) {
  const isTest = /\.test\.ts$|(^|\/)test-[^/]*\.ts$/.test(file);
  return importsOf(source).flatMap(({ path, kind }) => {
    if (path.startsWith('.')) return relativeFault(packageName, file, path, isTest);
    if (isTest) return [];
    const name = path.split('/', path.startsWith('@') ? 2 : 1).join('/');
    if (name === '@tensorflow/tfjs') return ['imports @tensorflow/tfjs, the union of all of tfjs; import tfjs-core'];
    if (file.endsWith('/reference.ts')) return kind === 'type' ? [] : [`imports ${path}; a reference is plain loops`];
    if (name.startsWith('@mixfold/') && !below[packageName].includes(name.slice('@mixfold/'.length))) {
      return [`imports ${path}, which is not below ${packageName}`];
    }
    if (packageName !== 'train' && kind === 'static' && name.startsWith('@tensorflow/tfjs-backend-')) {
      return [`imports ${path}; an operator package costs no backend`];
    }
    if (!path.startsWith('node:') && kind !== 'type' && !dependencies.includes(name))
      return [`imports ${path}, which package.json does not declare`];
    return [];
  });
}

function relativeFault(packageName, file, path, isTest) {
  const target = relative('.', resolve(dirname(file), path))
    .split(sep)
    .join('/');
  if (target.endsWith('/reference') && !isTest && !file.endsWith('/reference.ts'))
    return [`imports ${path}; only tests read a reference`];
  if (!target.startsWith('..')) return [];
  // Kernels share assembly sources with the packages below.
  const shared = /^\.\.\/([^/]+)\/assembly\//.exec(target);
  if (file.startsWith('assembly/') && shared && below[packageName].includes(shared[1])) return [];
  return [`imports ${path}, outside its package`];
}

/** @returns {string[]} every fault in the workspace, 'packages/aft/src/x.ts imports ...' */
export function checkImports() {
  return readdirSync(join(root, 'packages'), { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .flatMap(({ name }) => {
      if (!Object.hasOwn(below, name))
        return [`packages/${name}: its place in the house is not set in scripts/check-imports.mjs`];
      return checkPackage(name);
    });
}

function checkPackage(name) {
  const folder = join(root, 'packages', name);
  const manifest = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'));
  const dependencies = Object.keys({ ...manifest.dependencies, ...manifest.peerDependencies });
  return ['src', 'assembly']
    .flatMap((part) => sourcesIn(join(folder, part)))
    .flatMap((path) => {
      const file = relative(folder, path).split(sep).join('/');
      return faultsOf(name, file, readFileSync(path, 'utf8'), dependencies).map((fault) => `packages/${name}/${file} ${fault}`);
    });
}

function sourcesIn(folder) {
  if (!existsSync(folder)) return [];
  const entries = readdirSync(folder, { recursive: true, withFileTypes: true });
  return entries
    .filter((entry) => entry.isFile() && entry.name.endsWith('.ts'))
    .map((entry) => join(entry.parentPath, entry.name));
}

if (isMain(import.meta)) {
  await main(() => {
    const faults = checkImports();
    for (const fault of faults) console.error(fault);
    if (faults.length > 0) throw new ScriptError(`${faults.length} imports point the wrong way`);
  });
}
