import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { Peer } from './peer';
import { Torch } from './torch';

let torch: Promise<Torch> | undefined;

/** Beside the bundle that `npm run bench` makes, or in the sources. */
function serverScript(): string {
  const places = ['torch-server.py', '../src/peers/torch-server.py'].map((path) => join(import.meta.dirname, path));
  return places.find((path) => existsSync(path)) ?? places[0]!;
}

/** PyTorch on one thread of the CPU, in a process of its own that measures itself. */
export const pyTorch: Peer = {
  name: 'PyTorch',
  async prepare({ operatorCase, inputs, dOutput, sizes }, pass) {
    if (!operatorCase.peers?.torch) throw new Error('the case has no such call');
    torch ??= Torch.start(serverScript(), 'cpu', 1);
    const process = await torch;
    await process.prepare(operatorCase, inputs, sizes, false);
    return {
      form: `${process.about.version}, one thread, eager`,
      results: () => process.check(operatorCase, inputs, sizes, dOutput),
      run: () => {},
      sample: (repeats) => process.sample(operatorCase.name, pass, repeats),
      dispose: async () => void (await process.drop(operatorCase.name)),
    };
  },
  close() {
    void torch?.then((process) => process.close()).catch(() => {});
    torch = undefined;
  },
};
