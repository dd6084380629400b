import type { ArgsDef } from 'citty';
import { InputError } from '../input-error';

/** Refuses options and words that a command does not have; the parser would ignore them. @throws InputError */
export function checkArguments(rawArgs: readonly string[], definitions: ArgsDef, parsed: { _: string[] }): void {
  const known = Object.keys(definitions).filter((name) => definitions[name]!.type !== 'positional');
  const positional = Object.keys(definitions).length - known.length;
  for (let i = 0; i < rawArgs.length; i++) {
    const word = rawArgs[i]!;
    if (word === '--') break;
    if (!word.startsWith('-') || word === '-') continue;
    const name = /^--([^=]+)/.exec(word)?.[1];
    if (name === undefined || !known.includes(name)) {
      throw new InputError(
        `unknown option ${word.split('=')[0]}; the options are ${known.map((option) => `--${option}`).join(', ')}`,
      );
    }
    // A value follows, whatever it begins with.
    if (!word.includes('=') && definitions[name]!.type === 'string') i++;
  }
  const stranger = parsed._[positional];
  if (stranger !== undefined) throw new InputError(`'${stranger}' is one word too many; quote a value that has spaces in it`);
}
