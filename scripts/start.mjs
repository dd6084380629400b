// `npm start`: from a bare checkout to a trained language model, its sample and its report.
import { main, ScriptError } from './command.mjs';
import { setup } from './setup.mjs';

await main(async ([stranger]) => {
  if (stranger !== undefined) {
    throw new ScriptError(`start takes no arguments, got '${stranger}'; for options: npm run mixfold -- train --help`);
  }
  await setup();
  const { mixfold } = await import('./mixfold.mjs');
  await mixfold(['train', '--task', 'text']);
});
