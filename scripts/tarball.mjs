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

/**
 * An uncompressed tar archive (ustar) of files.
 *
 * @param {{name: string, bytes: Buffer, executable?: boolean}[]} files - `name` with its folders, at most 100 bytes long
 * @returns {Buffer}
 */
export function tarOf(files) {
  const blocks = files.flatMap(({ name, bytes, executable = false }) => {
    if (Buffer.byteLength(name) > 100) throw new RangeError(`a name in a tar archive has at most 100 bytes: ${name}`);
    const header = Buffer.alloc(blockSize);
    const octal = (value, digits) => `${value.toString(8).padStart(digits, '0')}\0`;
    header.write(name, 0);
    header.write(octal(executable ? 0o755 : 0o644, 7), 100);
    header.write(octal(0, 7) + octal(0, 7) + octal(bytes.length, 11) + octal(0, 11), 108);
    // The checksum counts itself as spaces.
    header.write('        0', 148);
    header.write('ustar\x0000', 257);
    header.write(
      `${octal(
        header.reduce((sum, byte) => sum + byte, 0),
        6,
      )} `,
      148,
    );
    return [header, bytes, Buffer.alloc((blockSize - (bytes.length % blockSize)) % blockSize)];
  });
  return Buffer.concat([...blocks, Buffer.alloc(2 * blockSize)]);
}
