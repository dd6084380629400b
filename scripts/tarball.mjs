import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { gunzipSync } from 'node:zlib';

const blockSize = 512;

/**
 * The files of a package as npm hands it out, by their path in the package.
 *
 * @param {string} path - of a .tgz
 * @returns {Map<string, Buffer>}
 */
export function readTarball(path) {
  const bytes = gunzipSync(readFileSync(path));
  const files = new Map();
  for (let at = 0; at + blockSize <= bytes.length && bytes[at] !== 0; ) {
    const field = (offset, length) => bytes.toString('utf8', at + offset, at + offset + length).replace(/\0.*$/s, '');
    const size = Number.parseInt(field(124, 12), 8);
    const isFile = ['0', ''].includes(field(156, 1));
    const name = [field(345, 155), field(0, 100)].filter(Boolean).join('/');
    if (isFile) files.set(name.replace(/^package\//, ''), bytes.subarray(at + blockSize, at + blockSize + size));
    at += blockSize * (1 + Math.ceil(size / blockSize));
  }
  return files;
}

/** Writes the files of a tarball under a folder. */
export function extractTarball(path, folder) {
  for (const [name, bytes] of readTarball(path)) {
    mkdirSync(dirname(join(folder, name)), { recursive: true });
    writeFileSync(join(folder, name), bytes);
  }
}
