import { join } from 'node:path';
import { afterEach, describe, expect, test } from 'vitest';
import { findChromium, softwareGpuEnvironment } from './chromium.mjs';
import { mustRun, root, run, ScriptError } from './command.mjs';

const node = (...args) => [process.execPath, ...args];

describe('running a program', () => {
  test('keeps its output and its exit code', async () => {
    const { code, output } = await run(node('-e', 'console.log("out"); console.error("err"); process.exit(3)'));
    expect(code).toBe(3);
    expect(output.split('\n').sort()).toEqual(['', 'err', 'out']);
  });

  test('that cannot start, or fails, is an error of one line', async () => {
    await expect(run(['/nowhere/program'])).rejects.toThrow(/^cannot start \/nowhere\/program: .*ENOENT$/);
    await expect(mustRun('the task', node('-e', 'process.exit(2)'))).rejects.toThrow(
      new ScriptError('the task failed (exit code 2)'),
    );
  });

  test('stops it when the script is told to end', async () => {
    const script = `import { run } from ${JSON.stringify(new URL('command.mjs', import.meta.url))};
      setTimeout(() => process.kill(process.pid, 'SIGTERM'), 300);
      await run([process.execPath, '-e', 'setInterval(() => {}, 1000)']).catch((error) => console.log(error.message));`;
    expect(await run(node('--input-type=module', '-e', script))).toEqual({ code: 0, output: 'stopped by SIGTERM\n' });
  });
});

describe('a script with a wrong argument', () => {
  test.each([
    ['setup.mjs', ['x'], "error: setup takes no arguments, got 'x'\n"],
    ['start.mjs', ['x'], "error: start takes no arguments, got 'x'; for options: npm run mixfold -- train --help\n"],
    ['test.mjs', ['x'], "error: test takes no arguments, got 'x'; for single tests: npm run unit -- x\n"],
    ['workspace.mjs', ['x'], "error: task must be one of kernels, types, lint, format, unit, is 'x'\n"],
    ['workspace.mjs', ['lint', 'x'], "error: lint takes no arguments, got 'x'\n"],
  ])('%s %s', async (script, args, message) => {
    expect(await run(node(join(root, 'scripts', script), ...args))).toEqual({ code: 1, output: message });
  });
});

describe('the browser', () => {
  const { CHROMIUM_PATH, VK_ICD_FILENAMES } = process.env;
  afterEach(() => restore({ CHROMIUM_PATH, VK_ICD_FILENAMES }));

  test('is the one CHROMIUM_PATH names, and it must exist', () => {
    process.env.CHROMIUM_PATH = process.execPath;
    expect(findChromium()).toBe(process.execPath);
    process.env.CHROMIUM_PATH = '/nowhere/chromium';
    expect(findChromium).toThrow('CHROMIUM_PATH: there is no file /nowhere/chromium');
  });

  test('gives its driver only where none is chosen', () => {
    process.env.VK_ICD_FILENAMES = '/some/driver.json';
    expect(softwareGpuEnvironment()).toEqual({});
  });
});

function restore(environment) {
  for (const [name, value] of Object.entries(environment)) {
    if (value === undefined) delete process.env[name];
    else process.env[name] = value;
  }
}
