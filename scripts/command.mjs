// How the scripts run other programs: without a shell, without a terminal, and quiet unless something fails.
import { spawn } from 'node:child_process';
import { existsSync, readFileSync, realpathSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** Folder of the repository. */
export const root = fileURLToPath(new URL('..', import.meta.url));

/** A mistake of the caller or of the machine, told in one line without a stack trace. */
export class ScriptError extends Error {}

/** Ctrl-C, or a request to end: the program that ran has been stopped, and no other should start. */
export class Interrupted extends ScriptError {}

/**
 * Runs a program and keeps what it prints.
 *
 * @param {string[]} command - program and arguments
 * @param {{cwd?: string, env?: Record<string, string | undefined>, show?: boolean}} [options] - `show` also prints while it runs
 * @returns {Promise<{code: number, output: string}>}
 * @throws {Interrupted} after stopping the program
 */
export function run([program, ...args], { cwd = root, env = {}, show = false } = {}) {
  return new Promise((resolve, reject) => {
    const colours = process.stdout.isTTY ? {} : { NO_COLOR: '1', FORCE_COLOR: undefined };
    const child = spawn(program, args, { cwd, env: { ...process.env, ...colours, ...env }, stdio: ['ignore', 'pipe', 'pipe'] });
    let output = '';
    for (const [stream, target] of [
      [child.stdout, process.stdout],
      [child.stderr, process.stderr],
    ]) {
      stream.setEncoding('utf8');
      stream.on('data', (text) => {
        output += text;
        if (show) target.write(text);
      });
    }
    let interruption;
    const stop = (signal) => {
      interruption = signal;
      child.kill(signal);
    };
    for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, stop);
    child.on('error', (error) => reject(new ScriptError(`cannot start ${program}: ${error.message}`)));
    child.on('close', (code, signal) => {
      for (const each of ['SIGINT', 'SIGTERM']) process.off(each, stop);
      if (interruption) reject(new Interrupted(`stopped by ${interruption}`));
      else resolve({ code: code ?? 1, output: signal ? `${output}\nended by ${signal}` : output });
    });
  });
}

/**
 * Runs a program that has to succeed.
 *
 * @param {string} what - for the error: 'installing the packages'
 * @returns {Promise<string>} what it printed
 */
export async function mustRun(what, command, options = {}) {
  const { code, output } = await run(command, options);
  if (code === 0) return output;
  if (!options.show) process.stderr.write(`${output.trimEnd()}\n`);
  throw new ScriptError(`${what} failed (exit code ${code})`);
}

/** The pinned pnpm, which a bare machine has not: npx fetches it. @returns {string[]} a command */
export function pnpm(...args) {
  const { packageManager } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
  return [...npx(), '--yes', packageManager, ...args];
}

/** A program of an installed package, run by this Node. @returns {string[]} a command */
export function installed(packageName, ...args) {
  const folder = join(root, 'node_modules', packageName);
  const { bin } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'));
  const path = typeof bin === 'string' ? bin : (bin[basename(packageName)] ?? Object.values(bin)[0]);
  return [process.execPath, join(folder, path), ...args];
}

/** npx as a script for this Node where npm is known, for on Windows npx itself needs a shell. */
function npx() {
  const npmScript = process.env.npm_execpath ?? '';
  const folders = [
    ...(basename(npmScript) === 'npm-cli.js' ? [dirname(npmScript)] : []),
    join(dirname(process.execPath), '..', 'lib', 'node_modules', 'npm', 'bin'),
    join(dirname(process.execPath), 'node_modules', 'npm', 'bin'),
  ];
  const script = folders.map((folder) => join(folder, 'npx-cli.js')).find((path) => existsSync(path));
  return script ? [process.execPath, script] : ['npx'];
}

/** Runs a script's main function; an error ends the process with code 1, one line for a `ScriptError`. */
export async function main(body) {
  try {
    await body(process.argv.slice(2));
  } catch (error) {
    console.error(error instanceof ScriptError ? `error: ${error.message}` : error);
    process.exitCode = 1;
  }
}

/** True in the file that was started, false where it is imported. */
export function isMain(meta) {
  return process.argv[1] !== undefined && fileURLToPath(meta.url) === realpathSync(process.argv[1]);
}
