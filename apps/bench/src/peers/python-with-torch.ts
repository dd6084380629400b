import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { delimiter, join } from 'node:path';

/** The first python3 of PATH that has PyTorch: a system's own may stand behind another. @throws Error if there is none */
export async function pythonWithTorch(): Promise<string> {
  const folders = (process.env.PATH ?? '').split(delimiter).filter((folder) => existsSync(join(folder, 'python3')));
  for (const folder of folders) {
    const python = join(folder, 'python3');
    const hasTorch = await new Promise<boolean>((resolve) => {
      const child = spawn(python, ['-c', 'import importlib.util, sys; sys.exit(importlib.util.find_spec("torch") is None)'], {
        stdio: 'ignore',
      });
      child.on('error', () => resolve(false));
      child.on('close', (code) => resolve(code === 0));
    });
    if (hasTorch) return python;
  }
  throw new Error(folders.length === 0 ? 'there is no python3' : `no python3 of PATH imports torch (${folders.join(', ')})`);
}
