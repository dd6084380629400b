import { type ArgsDef, type CommandDef, defineCommand } from 'citty';
import { aotSnrStudy } from './aot-snr-study';
import { shiftHeadsStudy } from './shift-heads-study';
import { type Study, studyCommand } from './study-command';

/** Every study that exists, by the name of its command. */
const studies: Record<string, Study> = { 'shift-heads': shiftHeadsStudy, 'aot-snr': aotSnrStudy };

/** The commands of the studies. */
export const studyCommands: Record<string, CommandDef<ArgsDef>> = Object.fromEntries(
  Object.entries(studies).map(([name, study]) => [name, studyCommand(name, study)]),
);

/** `mixfold reproduce`. */
export const reproduceCommand = defineCommand({
  meta: { name: 'reproduce', description: 'Run a study of a paper from nothing, to figures as JSON and a page' },
  subCommands: studyCommands,
});
