// `npm run bench -- --pack FILE`: the archive that checks and times the WebGPU kernels on an offline Linux x86-64 machine with a GPU.
import { existsSync, mkdtempSync, readFileSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { gzipSync } from 'node:zlib';
import { installed, mustRun, root, run, ScriptError } from './command.mjs';
import { tarOf } from './tarball.mjs';

const folder = 'mixfold-gpu-bench';
const mostBytes = 45e6;
const bench = join(root, 'apps/bench');

const starter = `#!/bin/sh
# Checks mixfold's WebGPU kernels on this machine's GPU and times them; ./run --help tells the options.
case $0 in */*) here=\${0%/*} ;; *) here=. ;; esac
here=$(CDPATH= cd -- "$here" && pwd)
# A system older than Dawn's C++ library gets the one of this archive.
if ! "$here/node" -e "process.dlopen({ exports: {} }, '$here/dawn.node')" >/dev/null 2>&1; then
  export LD_LIBRARY_PATH="\${LD_LIBRARY_PATH:+$LD_LIBRARY_PATH:}$here/lib/c++"
fi
exec "$here/node" "$here/bench.mjs" "$@"
`;

const readme = `mixfold on a GPU: correctness and speed of the WebGPU kernels
============================================================

    ./run                  checks every operator against float64, then times it; under 4 minutes
    ./run --help           the options

Needs Linux on x86-64 (glibc 2.34 or newer) and a Vulkan driver; no network, no Node. With PyTorch for CUDA installed
(python3 -c "import torch"), the same operators are timed in it too, eager and compiled.

node        Node.js, https://nodejs.org
dawn.node   Dawn, the WebGPU implementation of Chromium, from the npm package 'webgpu'
bench.mjs   mixfold and TensorFlow.js 4.22 (Apache License 2.0)
lib/        the Vulkan loader and the C++ library of the system this was packed on, for a system without

Licences lie in licenses/.
`;

/** Vulkan's loader and GCC's libraries, where Debian and Red Hat have them. */
const libraryFolders = ['/usr/lib/x86_64-linux-gnu', '/usr/lib64', '/usr/lib'];

/**
 * Writes the archive.
 *
 * @param {string} file - a .tar.gz, or a .tar.xz where the program xz is installed
 * @param {{level?: number}} [options] - of gzip; only the best one has to keep the size
 * @throws {ScriptError} elsewhere than on Linux x86-64, or if it would be larger than 45 MB
 */
export async function packGpuBench(file, { level = 9 } = {}) {
  if (process.platform !== 'linux' || process.arch !== 'x64')
    throw new ScriptError(
      `the archive holds this machine's Node, so it is packed on Linux x86-64, not on ${process.platform} ${process.arch}`,
    );
  if (!/\.(tar\.gz|tgz|tar\.xz)$/.test(file)) throw new ScriptError(`--pack takes a file .tar.gz or .tar.xz, got '${file}'`);
  const dawn = join(realpathSync(join(root, 'node_modules/webgpu')), 'dist/linux-x64/dawn.node');
  if (!existsSync(dawn)) throw new ScriptError(`package 'webgpu' has no ${dawn}`);
  const commit = await run(['git', 'describe', '--always', '--dirty', '--abbrev=12', '--exclude=*']);
  const command = installed('tsup', '--config', 'tsup.gpu.config.ts', '--silent');
  const env = commit.code === 0 ? { MIXFOLD_BENCH_COMMIT: commit.output.trim() } : {};
  await mustRun('bundling the GPU benchmarks', command, { cwd: bench, env });

  const executable = true;
  const tar = tarOf(
    [
      { name: 'run', bytes: Buffer.from(starter), executable },
      { name: 'README.txt', bytes: Buffer.from(readme) },
      { name: 'node', bytes: await strippedNode(), executable },
      { name: 'dawn.node', bytes: readFileSync(dawn), executable },
      ...['bench.mjs', 'torch-server.py'].map((name) => ({ name, bytes: readFileSync(join(bench, 'dist/gpu', name)) })),
      ...librariesOf('lib', ['libvulkan.so.1']),
      ...librariesOf('lib/c++', ['libstdc++.so.6', 'libgcc_s.so.1']),
      ...licences(),
    ].map((entry) => ({ ...entry, name: `${folder}/${entry.name}` })),
  );
  const bytes = file.endsWith('.xz') ? await xz(tar) : gzipSync(tar, { level });
  if (level === 9 && bytes.length > mostBytes) {
    throw new ScriptError(
      `the archive would be ${megabytes(bytes)}, more than ${mostBytes / 1e6} MB; a .tar.xz is smaller, and so is a stripped Node`,
    );
  }
  writeFileSync(resolve(file), bytes);
  console.log(`${file}: ${megabytes(bytes)}. On the machine with the GPU:\n  tar xf ${file} && ./${folder}/run`);
}

/** This Node without its debug symbols, a third of what it compresses to; as it is where there is no `strip`. */
async function strippedNode() {
  const temporary = mkdtempSync(join(tmpdir(), 'mixfold-pack-'));
  try {
    const out = join(temporary, 'node');
    const { code } = await run(['strip', '-o', out, process.execPath]).catch(() => ({ code: 1 }));
    return readFileSync(code === 0 ? out : process.execPath);
  } finally {
    rmSync(temporary, { recursive: true, force: true });
  }
}

/** Libraries of this system by the names that the linker asks for; those it has. */
function librariesOf(at, names) {
  return names.flatMap((name) => {
    const path = libraryFolders.map((from) => join(from, name)).find((candidate) => existsSync(candidate));
    if (!path) console.warn(`not packed, for this system has none: ${name}`);
    return path ? [{ name: `${at}/${name}`, bytes: readFileSync(path) }] : [];
  });
}

function licences() {
  const node = [
    join(dirname(process.execPath), '../LICENSE'),
    '/usr/share/doc/nodejs/copyright',
    '/usr/share/doc/nodejs/LICENSE',
  ].find((path) => existsSync(path));
  const debian = ['libvulkan1', 'libstdc++6', 'libgcc-s1'].map((name) => [name, `/usr/share/doc/${name}/copyright`]);
  const found = [
    ['node', node],
    ['webgpu', join(root, 'node_modules/webgpu/LICENSE.md')],
    ['mixfold', join(root, 'LICENSE')],
    ...debian,
  ].filter(([, path]) => path && existsSync(path));
  return found.map(([name, path]) => ({ name: `licenses/${name}`, bytes: readFileSync(path) }));
}

async function xz(tar) {
  const temporary = mkdtempSync(join(tmpdir(), 'mixfold-pack-'));
  try {
    const path = join(temporary, 'archive.tar');
    writeFileSync(path, tar);
    await mustRun('compressing by xz', ['xz', '-6', '-T0', path]);
    return readFileSync(`${path}.xz`);
  } finally {
    rmSync(temporary, { recursive: true, force: true });
  }
}

function megabytes(bytes) {
  return `${(bytes.length / 1e6).toFixed(1)} MB`;
}
