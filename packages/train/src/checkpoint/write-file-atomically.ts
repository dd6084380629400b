import { randomBytes } from 'node:crypto';
import { open, readdir, rename, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';

/**
 * Replaces a file so that at every moment, crashes and power loss included, it holds either all of the old bytes or all of the
 * new.
 *
 * The bytes go to a temporary file in the same folder, are flushed to the device, and the file is renamed; then the folder is
 * flushed, for the name lives there. If any step fails the temporary file is removed and the old file stands.
 */
export async function writeFileAtomically(path: string, bytes: Uint8Array | string): Promise<void> {
  const temporary = `${path}.${randomBytes(6).toString('hex')}.tmp`;
  try {
    const file = await open(temporary, 'wx');
    try {
      // FileHandle.writeFile goes on after partial writes until everything is out.
      await file.writeFile(bytes);
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(temporary, path);
  } catch (error) {
    await rm(temporary, { force: true });
    throw error;
  }
  await syncFolder(dirname(path));
}

/** Removes what interrupted writes left in a folder, of the files whose names `isOurs` accepts. */
export async function removeStaleTemporaries(folder: string, isOurs: (name: string) => boolean): Promise<void> {
  for (const entry of await readdir(folder)) {
    const match = /^(.*)\.[0-9a-f]{12}\.tmp$/.exec(entry);
    if (match && isOurs(match[1]!)) await rm(join(folder, entry), { force: true });
  }
}

async function syncFolder(folder: string): Promise<void> {
  // Windows cannot open a folder for flushing; its rename is durable by itself.
  if (process.platform === 'win32') return;
  const handle = await open(folder, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}
