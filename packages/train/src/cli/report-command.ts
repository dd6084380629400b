import { defineCommand } from 'citty';
import { writeReport } from '../report/write-report';
import { checkArguments } from './check-arguments';

const options = { directory: { type: 'positional', required: true, description: 'Folder that mixfold train wrote' } } as const;

/** `mixfold report`. */
export const reportCommand = defineCommand({
  meta: { name: 'report', description: 'Write report.html again from the log of a run' },
  args: options,
  async run({ args, rawArgs }) {
    checkArguments(rawArgs, options, args);
    process.stdout.write(`${await writeReport(args.directory)}\n`);
  },
});
