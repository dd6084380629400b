import { stripVTControlCharacters } from 'node:util';
import { type CommandDef, defineCommand, renderUsage, runCommand } from 'citty';
import '../register-gradients';
import { doctorCommand } from './doctor-command';
import { evalCommand } from './eval-command';
import { reportCommand } from './report-command';
import { reproduceCommand, studyCommands } from './reproduce-command';
import { sampleCommand } from './sample-command';
import { trainCommand } from './train-command';

// biome-ignore lint/suspicious/noExplicitAny: commands differ in their options
const commands: Record<string, CommandDef<any>> = {
  train: trainCommand,
  eval: evalCommand,
  sample: sampleCommand,
  report: reportCommand,
  reproduce: reproduceCommand,
  doctor: doctorCommand,
};

const main = defineCommand({
  meta: { name: 'mixfold', description: 'Language models without attention, on TensorFlow.js' },
  subCommands: commands,
});

/**
 * Runs the command line.
 *
 * An error is one line on stderr and exit code 1; with MIXFOLD_STACK set its stack follows.
 *
 * @param args - the words after `mixfold`.
 * @returns The exit code.
 */
export async function runCli(args: readonly string[]): Promise<number> {
  endWithReader();
  const [name, ...rest] = args;
  try {
    if (name === undefined || isHelp(name) || name === 'help') return await help(main);
    const command = Object.hasOwn(commands, name) ? commands[name]! : undefined;
    if (command === undefined) return fail(`unknown command '${name}'; the commands are ${Object.keys(commands).join(', ')}`);
    if (command === reproduceCommand) return await runStudyCommand(rest);
    if (rest.some(isHelp)) return await help(command, main);
    const { result } = await runCommand(command, { rawArgs: rest });
    return typeof result === 'number' ? result : 0;
  } catch (error) {
    return fail(error instanceof Error ? error.message : String(error), error);
  }
}

/** `mixfold reproduce NAME ...`: every study has options and a help text of its own. */
async function runStudyCommand([name, ...rest]: readonly string[]): Promise<number> {
  if (name !== undefined && isHelp(name)) return help(reproduceCommand, main);
  const known = `the studies are ${Object.keys(studyCommands).join(', ')}`;
  if (name === undefined || name.startsWith('-')) return fail(`the name of a study comes first; ${known}`);
  const command = Object.hasOwn(studyCommands, name) ? studyCommands[name]! : undefined;
  if (command === undefined) return fail(`there is no study '${name}'; ${known}`);
  if (rest.some(isHelp)) return help(command, { meta: { name: 'mixfold reproduce' } });
  await runCommand(command, { rawArgs: rest });
  return 0;
}

const isHelp = (word: string) => word === '--help' || word === '-h';

// biome-ignore lint/suspicious/noExplicitAny: commands differ in their options
async function help(command: CommandDef<any>, parent?: CommandDef<any>): Promise<number> {
  process.stdout.write(`${await renderUsage(command, parent)}\n`);
  return 0;
}

/** A reader that has seen enough, such as `head`, ends the command quietly. */
function endWithReader(): void {
  process.stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code === 'EPIPE') process.exit(0);
    throw error;
  });
}

function fail(message: string, error?: unknown): number {
  const [line] = stripVTControlCharacters(message).split('\n');
  process.stderr.write(`error: ${line}\n`);
  if (process.env.MIXFOLD_STACK && error instanceof Error) process.stderr.write(`${error.stack}\n`);
  return 1;
}
