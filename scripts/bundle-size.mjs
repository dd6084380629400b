// One operator costs its own code alone: its budget stands in .size-limit.js, this looks at what its bundle keeps.
import { join } from 'node:path';
import { mustRun, ScriptError } from './command.mjs';

/**
 * Bundles each operator of a package alone; none may keep another.
 *
 * @param {string} consumer - folder in which the packed packages are installed
 * @returns {Promise<string[]>} names of the operators, 'aftSimpleOperator'
 */
export async function checkOperatorsStandAlone({ name }, consumer) {
  const operators = await operatorsOf(name, consumer);
  const { build } = await import('esbuild');
  for (const [exported, own] of Object.entries(operators)) {
    const { outputFiles } = await build({
      stdin: { contents: `export { ${exported} } from ${JSON.stringify(name)};`, resolveDir: consumer },
      bundle: true,
      format: 'esm',
      write: false,
      minify: true,
      external: ['@tensorflow/*'],
      logLevel: 'silent',
      absWorkingDir: join(consumer),
    });
    const code = outputFiles[0].text;
    const kept = Object.values(operators)
      .flat()
      .filter((operator) => !own.includes(operator) && nameIn(code, operator));
    if (kept.length > 0) {
      throw new ScriptError(
        `importing ${exported} from ${name} keeps ${[...new Set(kept)].join(', ')}; ` +
          'a definition is dropped only if its arguments are free of spreads and calls: move those into constants',
      );
    }
    const missing = own.filter((operator) => !nameIn(code, operator));
    if (missing.length > 0)
      throw new ScriptError(`the bundle of ${exported} lacks ${missing.join(', ')}: the check looks for the wrong names`);
  }
  return Object.keys(operators);
}

/** Registered names of each exported operator and of its backward operators. */
async function operatorsOf(name, consumer) {
  const script = `
    import * as exported from ${JSON.stringify(name)};
    const names = (operator) => (operator?.spec ? [operator.spec.name, ...names(operator.spec.backward)] : []);
    const operators = Object.entries(exported).map(([key, value]) => [key, names(value)]).filter(([, own]) => own.length > 0);
    console.log(JSON.stringify(Object.fromEntries(operators)));`;
  const command = [process.execPath, '--input-type=module', '-e', script];
  return JSON.parse(await mustRun(`listing the operators of ${name}`, command, { cwd: consumer }));
}

function nameIn(code, operator) {
  return ['"', "'", '`'].some((quote) => code.includes(`${quote}${operator}${quote}`));
}
