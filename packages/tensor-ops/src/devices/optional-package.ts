import { existsSync, readdirSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { firstLine } from './start-tfjs-backend';

/** A package that may not be installed: its exports, or why it cannot be used. */
export async function importOptional<Module = unknown>(name: string): Promise<{ module: Module } | { refused: string }> {
  try {
    // The name is a variable, so neither TypeScript nor a bundler looks for the package.
    return { module: (await import(/* @vite-ignore */ name)) as Module };
  } catch (error) {
    if (isMissing(error, name)) return { refused: `package '${name}' is not installed` };
    return { refused: `package '${name}' could not be loaded: ${firstLine(error)}` };
  }
}

function isMissing(error: unknown, name: string): boolean {
  const { code, message } = error as NodeJS.ErrnoException;
  return (code === 'ERR_MODULE_NOT_FOUND' || code === 'MODULE_NOT_FOUND') && message.includes(`'${name}'`);
}

/**
 * Why an installed tfjs-node package cannot work, or null. It loads all of `@tensorflow/tfjs` before it finds that its native addon is
 * missing, which would leave hundreds of kernels and gradients registered; so the addon is looked for first.
 */
export function missingAddon(name: string): string | null {
  const require = createRequire(import.meta.url);
  let folder: string;
  try {
    folder = dirname(require.resolve(`${name}/package.json`));
  } catch {
    return `package '${name}' is not installed`;
  }
  const builds = existsSync(join(folder, 'lib')) ? readdirSync(join(folder, 'lib')) : [];
  if (builds.some((build) => existsSync(join(folder, 'lib', build, 'tfjs_binding.node')))) return null;
  return `package '${name}' is installed without its native addon, which its install script downloads: npm rebuild ${name}`;
}
