import { stripVTControlCharacters } from 'node:util';
import { type CommandDef, defineCommand, renderUsage, runCommand } from 'citty';
import '../register-gradients';
import { doctorCommand } from './doctor-command';
import { evalCommand } from './eval-command';
import { reportCommand } from './report-command';
import { reproduceCommand } from './reproduce-command';
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
    if (name === undefined || name === '--help' || name === '-h' || name === 'help') {
      process.stdout.write(`${await renderUsage(main)}\n`);
      return 0;
    }
    const command = Object.hasOwn(commands, name) ? commands[name]! : undefined;
    if (command === undefined) return fail(`unknown command '${name}'; the commands are ${Object.keys(commands).join(', ')}`);
    if (rest.includes('--help') || rest.includes('-h')) {
      process.stdout.write(`${await renderUsage(command, main)}\n`);
      return 0;
    }
    const { result } = await runCommand(command, { rawArgs: rest });
    return typeof result === 'number' ? result : 0;
  } catch (error) {
    return fail(error instanceof Error ? error.message : String(error), error);
  }
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
