// The examples of every README run as written, in a user's folder with the packed packages.
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { mustRun, root, ScriptError } from './command.mjs';

/** The JavaScript blocks of a Markdown text. @returns {string[]} */
export function examplesOf(markdown) {
  return [...markdown.matchAll(/^```js\n([\s\S]*?)^```$/gm)].map(([, code]) => code);
}

/**
 * Runs every example as a module of its own.
 *
 * @param {string} consumer - folder in which the packed packages are installed
 * @param {{folder: string}[]} packages - whose READMEs are read, beside that of the repository
 */
export async function checkReadmeExamples(consumer, packages) {
  const readmes = [root, ...packages.map(({ folder }) => folder)].map((folder) => join(folder, 'README.md')).filter(existsSync);
  for (const readme of readmes) {
    const name = relative(root, readme);
    const examples = examplesOf(readFileSync(readme, 'utf8'));
    if (examples.length === 0) throw new ScriptError(`${name} has no example`);
    for (const [i, code] of examples.entries()) {
      const file = join(consumer, `example-${i}.mjs`);
      writeFileSync(file, code);
      await mustRun(`example ${i + 1} of ${name}`, [process.execPath, file], { cwd: consumer });
      rmSync(file);
    }
  }
}
