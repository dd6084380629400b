// `npm run kernels | types | lint | format | unit`: one task over the whole workspace, after the set-up.
import { installed, isMain, main, run, ScriptError } from './command.mjs';
import { setup } from './setup.mjs';

/** The commands of the tasks; `unit` hands its arguments on to vitest. */
export const tasks = {
  kernels: () => undefined,
  types: () => installed('typescript', '-p', 'tsconfig.json'),
  lint: () => installed('@biomejs/biome', 'check', '--error-on-warnings', '--colors=off', '--max-diagnostics=50', '.'),
  format: () => installed('@biomejs/biome', 'check', '--write', '.'),
  unit: (args) => installed('vitest', 'run', ...args),
};

if (isMain(import.meta)) {
  await main(async ([name, ...args]) => {
    const task = tasks[name];
    if (!Object.hasOwn(tasks, name ?? ''))
      throw new ScriptError(`task must be one of ${Object.keys(tasks).join(', ')}, is '${name}'`);
    if (args.length > 0 && name !== 'unit') throw new ScriptError(`${name} takes no arguments, got '${args[0]}'`);
    await setup({ browser: name === 'unit' });
    const command = task(args);
    if (command) process.exitCode = (await run(command, { show: true })).code;
  });
}
