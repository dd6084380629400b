/** Words that the threads of a pool share with the main one, 16 per worker so that no two write to one cache line. */
export const wordsPerWorker = 16;

/** What each of a worker's words is for. `depth` and those before it are arguments of `gemmMany`; `slope`, a float, is too. */
export const word = {
  /** The number of the job to do, -1 to end. The worker sleeps on it. */
  job: 0,
  /** The number of the last job done. The main thread sleeps on it. */
  done: 1,
  failed: 2,
  build: 3,
  calls: 4,
  count: 5,
  leftTransposed: 6,
  rightTransposed: 7,
  depth: 8,
  activation: 9,
  slope: 10,
} as const;

/**
 * The program of a worker thread, as text, so that a bundle needs no second file. It does one job after another, and sleeps between them without its
 * event loop: the main thread does not return to its own either while a product is under way. A message brings the kernel module of a build before the
 * first job that needs it.
 */
export const workerSource = `
const { parentPort, receiveMessageOnPort, workerData } = process.getBuiltinModule('node:worker_threads');
const { memory, control, index } = workerData;
const words = new Int32Array(control, ${4 * wordsPerWorker} * index, ${wordsPerWorker});
const floats = new Float32Array(control, ${4 * wordsPerWorker} * index, ${wordsPerWorker});
const instances = {};
parentPort.postMessage('ready');
let last = 0;
for (;;) {
  Atomics.wait(words, ${word.job}, last);
  const job = Atomics.load(words, ${word.job});
  if (job === last) continue;
  if (job < 0) break;
  last = job;
  let failed = 0;
  try {
    for (let post; (post = receiveMessageOnPort(parentPort)); ) {
      instances[post.message.build] = new WebAssembly.Instance(post.message.module, { env: { memory } }).exports;
    }
    instances[words[${word.build}]].gemmMany(
      words[${word.calls}], words[${word.count}], words[${word.leftTransposed}], words[${word.rightTransposed}],
      words[${word.depth}], words[${word.activation}], floats[${word.slope}],
    );
  } catch {
    failed = 1;
  }
  words[${word.failed}] = failed;
  Atomics.store(words, ${word.done}, job);
  Atomics.notify(words, ${word.done});
}
`;
