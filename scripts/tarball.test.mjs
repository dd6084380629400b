import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterAll, describe, expect, test } from 'vitest';
import { checkTarball } from './packaging.mjs';
import { extractTarball, readTarball } from './tarball.mjs';

const folder = mkdtempSync(join(tmpdir(), 'mixfold-tarball-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function writeTarball(files) {
  const blocks = Object.entries(files).flatMap(([name, text]) => {
    const header = Buffer.alloc(512);
    header.write(`package/${name}`, 0);
    header.write(Buffer.byteLength(text).toString(8).padStart(11, '0'), 124);
    header.write('0', 156);
    const body = Buffer.alloc(Math.ceil(Buffer.byteLength(text) / 512) * 512);
    body.write(text);
    return [header, body];
  });
  const path = join(folder, 'package.tgz');
  writeFileSync(path, gzipSync(Buffer.concat([...blocks, Buffer.alloc(1024)])));
  return path;
}

const manifest = { exports: { '.': { import: { default: './dist/index.js' } } }, dependencies: { other: '^1.0.0' } };
const good = {
  'package.json': JSON.stringify(manifest),
  LICENSE: 'x',
  'README.md': 'x',
  'dist/index.js': 'x',
  'dist/index.js.map': '{}',
};

describe('tarballs', () => {
  test('are read and extracted', () => {
    const path = writeTarball({ 'a.txt': 'first', 'deep/b.txt': 'é'.repeat(600), empty: '' });
    expect([...readTarball(path)].map(([name, bytes]) => [name, bytes.toString()])).toEqual([
      ['a.txt', 'first'],
      ['deep/b.txt', 'é'.repeat(600)],
      ['empty', ''],
    ]);
    extractTarball(path, join(folder, 'out'));
    expect(readFileSync(join(folder, 'out/deep/b.txt'), 'utf8')).toBe('é'.repeat(600));
  });

  test('with all they need and no more pass', () => {
    expect(() => checkTarball(writeTarball(good))).not.toThrow();
  });

  test.each([
    ['src/a.test.ts does not belong', { ...good, 'src/a.test.ts': '' }],
    ['src/aft/reference.ts does not belong', { ...good, 'src/aft/reference.ts': '' }],
    ['README.md is missing', { ...good, 'README.md': undefined }],
    ['dist/index.js is exported but missing', { ...good, 'dist/index.js': undefined }],
    ['has no source maps', { ...good, 'dist/index.js.map': undefined }],
    ['has the script postinstall', { ...good, 'package.json': JSON.stringify({ ...manifest, scripts: { postinstall: 'x' } }) }],
    [
      'other has the range workspace:^',
      { ...good, 'package.json': JSON.stringify({ ...manifest, dependencies: { other: 'workspace:^' } }) },
    ],
  ])('%s', (fault, files) => {
    const present = Object.fromEntries(Object.entries(files).filter(([, text]) => text !== undefined));
    expect(() => checkTarball(writeTarball(present))).toThrow(fault);
  });
});
