// `npm test`: everything that must hold before a change is merged. The last line counts vitest's tests and one per check.
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { checkOperatorsStandAlone } from './bundle-size.mjs';
import { checkImports } from './check-imports.mjs';
import { Interrupted, installed, main, mustRun, run, ScriptError } from './command.mjs';
import { checkOperatorsPage } from './operators.mjs';
import {
  buildPackages,
  checkLoads,
  checkPublint,
  checkTarball,
  checkTypes,
  makeConsumer,
  pack,
  publishedPackages,
} from './packaging.mjs';
import { checkReadmeExamples } from './readme-examples.mjs';
import { setup } from './setup.mjs';
import { tasks } from './workspace.mjs';

const tally = { passed: 0, failed: 0 };
const failedChecks = [];

await main(async ([stranger]) => {
  if (stranger !== undefined)
    throw new ScriptError(`test takes no arguments, got '${stranger}'; for single tests: npm run unit -- ${stranger}`);
  const temporary = mkdtempSync(join(tmpdir(), 'mixfold-test-'));
  try {
    await setup({ browser: true });
    await checkSources();
    await runVitest(join(temporary, 'vitest.json'));
    await checkPackages(temporary);
  } finally {
    rmSync(temporary, { recursive: true, force: true });
  }
  if (failedChecks.length > 0) console.log(`failed: ${failedChecks.join('; ')}`);
  console.log(`${tally.passed} passed, ${tally.failed} failed`);
  if (tally.failed > 0) process.exitCode = 1;
});

/** Counts one check; its error is printed and does not stop the others. @returns {Promise<boolean>} whether it passed */
async function check(name, body) {
  const start = performance.now();
  let failure;
  try {
    await body();
  } catch (error) {
    if (error instanceof Interrupted) throw error;
    failure = error instanceof ScriptError ? error.message : error.stack;
  }
  tally[failure === undefined ? 'passed' : 'failed']++;
  if (failure !== undefined) failedChecks.push(name);
  const seconds = ((performance.now() - start) / 1000).toFixed(1);
  console.log(
    `${failure === undefined ? 'ok  ' : 'FAIL'} ${name} (${seconds} s)${failure === undefined ? '' : `\n${failure.replace(/^/gm, '     ')}`}`,
  );
  return failure === undefined;
}

async function checkSources() {
  await Promise.all([
    check('types', () => mustRun('tsc', tasks.types())),
    check('lint and format', () => mustRun('biome', tasks.lint())),
    check('imports point down', () => {
      const faults = checkImports();
      if (faults.length > 0) throw new ScriptError(faults.join('\n'));
    }),
    check('OPERATORS.md is up to date', checkOperatorsPage),
    check('nothing unused', () => mustRun('knip', installed('knip', '--no-progress'))),
  ]);
}

async function runVitest(resultFile) {
  const { code } = await run(
    installed('vitest', 'run', '--reporter=default', '--reporter=json', `--outputFile.json=${resultFile}`),
    {
      show: true,
    },
  );
  if (!existsSync(resultFile)) {
    await check('unit and browser tests', () => Promise.reject(new ScriptError(`vitest ended with code ${code} and no result`)));
    return;
  }
  const { numPassedTests, numFailedTests, numPendingTests, testResults } = JSON.parse(readFileSync(resultFile, 'utf8'));
  tally.passed += numPassedTests;
  tally.failed += numFailedTests;
  if (code !== 0) failedChecks.push('unit and browser tests');
  const skipped = testResults.flatMap(({ assertionResults }) =>
    assertionResults.filter(({ status }) => status !== 'passed' && status !== 'failed'),
  );
  for (const { fullName } of skipped) console.log(`skipped: ${fullName}`);
  // A file that cannot be loaded, or an error outside a test, has no failed test to show for it.
  if (code !== 0 && numFailedTests === 0) tally.failed++;
  console.log(`vitest: ${numPassedTests} passed, ${numFailedTests} failed, ${numPendingTests} skipped`);
}

async function checkPackages(temporary) {
  const packages = publishedPackages();
  const built = await check('packages build', buildPackages);
  const tarballs = new Map();
  if (built) {
    for (const each of packages)
      await check(`${each.name} packs`, async () => tarballs.set(each.name, await pack(each, temporary)));
  }
  if (tarballs.size < packages.length) return;
  const consumer = join(temporary, 'consumer');
  makeConsumer(consumer, packages, tarballs);
  for (const each of packages) {
    const tarball = tarballs.get(each.name);
    await check(`${each.name} tarball`, () => checkTarball(tarball));
    await check(`${each.name} publint`, () => checkPublint(tarball));
    await Promise.all([
      check(`${each.name} types of the tarball`, () => checkTypes(each, tarball)),
      check(`${each.name} loads in Node`, () => checkLoads(each, consumer)),
    ]);
    await check(`${each.name} operators stand alone`, () => checkOperatorsStandAlone(each, consumer));
  }
  await check('README examples run', () => checkReadmeExamples(consumer, packages));
  await check('size budgets', () => mustRun('size-limit', installed('size-limit')));
}
