// `npm run bench`: the benchmarks of apps/bench in one Node process, nothing beside them.
import { rmSync } from 'node:fs';
import { join, relative } from 'node:path';
import { pathToFileURL } from 'node:url';
import { parseArgs } from 'node:util';
import { installed, main, mustRun, root, ScriptError } from './command.mjs';
import { packGpuBench } from './pack-gpu-bench.mjs';
import { setup } from './setup.mjs';

const usage = 'npm run bench -- [--full] [--only NAME] [--json FILE] | --pack FILE';
const folder = join(root, 'apps/bench');

await main(async (args) => {
  const options = parse(args);
  if (options.help)
    return console.log(
      `${usage}\n  --only may be repeated, and takes the beginning of a name\n  --pack writes an archive for a machine with a GPU, and runs nothing`,
    );
  await setup();
  if (options.pack !== undefined) return packGpuBench(options.pack);
  const bundle = join(folder, 'dist/main.js');
  rmSync(bundle, { force: true });
  await mustRun('bundling the benchmarks', installed('tsup', '--silent'), { cwd: folder });
  const { bench } = await import(pathToFileURL(bundle).href);
  try {
    process.exitCode = await bench(options);
  } catch (error) {
    throw error instanceof RangeError ? new ScriptError(error.message) : error;
  }
});

function parse(args) {
  try {
    const { values } = parseArgs({
      args,
      options: {
        full: { type: 'boolean', default: false },
        only: { type: 'string', multiple: true, default: [] },
        json: { type: 'string', default: defaultFile() },
        pack: { type: 'string' },
        help: { type: 'boolean', default: false },
      },
    });
    return values;
  } catch (error) {
    throw new ScriptError(`${error.message.split('\n')[0]}; usage: ${usage}`);
  }
}

/** Not kept by git. */
function defaultFile() {
  const time = new Date().toISOString().slice(0, 19).replaceAll(':', '-');
  return relative(process.cwd(), join(folder, 'results', `${time}.json`));
}
