import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { cp, mkdir, mkdtemp, readdir, readFile, rm, truncate, writeFile } from 'node:fs/promises';
import { availableParallelism, tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { bundleCli, interrupted, lines, mixfold, removeCli } from './test-cli';

const small = ['--data', 'text.txt', '--backend', 'wasm', '--dim', '16', '--layers', '1', '--batch', '2', '--context', '16'];
const training = (...more: string[]) => ['train', '--task', 'text', ...small, ...more];

let folder = '';
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'mixfold-cli-'));
  await writeFile(join(folder, 'text.txt'), 'Call me Ishmael. Some years ago, never mind how long precisely. '.repeat(100));
  await writeFile(join(folder, 'empty.txt'), '');
  await writeFile(join(folder, 'short.txt'), 'short');
  await mkdir(join(folder, 'foreign'));
  await writeFile(join(folder, 'foreign', 'thesis.doc'), 'years of work');
  await bundleCli();
  expect(await mixfold(folder, ...training('--steps', '4', '--out', 'done'))).toMatchObject({ code: 0, stderr: '' });
});
afterAll(() => Promise.all([rm(folder, { recursive: true }), removeCli()]));

const weightsOf = async (run: string) =>
  createHash('sha256')
    .update(await readFile(join(folder, run, 'model.safetensors')))
    .digest('hex');

const loggedLosses = async (run: string) =>
  lines(await readFile(join(folder, run, 'log.jsonl'), 'utf8')).flatMap(({ event, step, loss }) =>
    event === 'step' ? [[step, loss]] : [],
  );

describe('mixfold train', () => {
  test('prints and logs JSON lines, and leaves the files of a run', async () => {
    const { code, stdout } = await mixfold(folder, ...training('--steps', '5', '--seed', '3'));
    expect(code).toBe(0);
    const run = join(folder, 'runs', 'text-aft-simple');
    expect((await readdir(run)).sort()).toEqual([
      'config.json',
      'log.jsonl',
      'model.safetensors',
      'optimizer-5.safetensors',
      'report.html',
      'state.json',
    ]);
    const printed = lines(stdout);
    expect(printed.map(({ event }) => event)).toEqual(
      lines(await readFile(join(run, 'log.jsonl'), 'utf8')).map(({ event }) => event),
    );
    const step = printed.find(({ event }) => event === 'step')!;
    for (const name of ['step', 'loss', 'bitsPerByte', 'tokensPerSecond', 'secondsLeft'])
      expect(step[name]).toEqual(expect.any(Number));
    expect(printed.at(-1)).toMatchObject({
      event: 'end',
      stopped: false,
      order0: expect.any(Number),
      order1: expect.any(Number),
    });
    expect(printed.find(({ event }) => event === 'sample')).toMatchObject({ text: expect.any(String) });
    expect(JSON.parse(await readFile(join(run, 'config.json'), 'utf8'))).toMatchObject({
      mixer: 'aft-simple',
      steps: 5,
      seed: 3,
      dim: 16,
    });
    expect(JSON.parse(await readFile(join(run, 'state.json'), 'utf8'))).toMatchObject({ step: 5, random: expect.any(Array) });
    const report = await readFile(join(run, 'report.html'), 'utf8');
    for (const part of ['uPlot', 'Validation loss', 'AftSimpleCausal', 'tfjs', '<pre>']) expect(report).toContain(part);
    expect(report).not.toMatch(/<(script|link|img)[^>]*(src|href)=/);
  });

  test('repeats exactly, and another seed does not', async () => {
    await mixfold(folder, ...training('--steps', '4', '--out', 'again'));
    await mixfold(folder, ...training('--steps', '4', '--out', 'other', '--seed', '2'));
    const weights = async (run: string) => {
      const bytes = await readFile(join(folder, run, 'model.safetensors'));
      return bytes.subarray(8 + Number(bytes.readBigUInt64LE(0))).toString('hex');
    };
    expect(await weights('again')).toBe(await weights('done'));
    expect(await weights('other')).not.toBe(await weights('done'));
  });

  test('--threads gives the weights of one thread, and says how many there are', async () => {
    const wide = (...more: string[]) => training('--steps', '2', '--dim', '64', '--batch', '8', '--context', '64', ...more);
    const one = await mixfold(folder, ...wide('--out', 'one'));
    const two = await mixfold(folder, ...wide('--out', 'two', '--threads', '2'));
    expect(two).toMatchObject({ code: 0, stderr: '' });
    const threads = (stdout: string) =>
      (lines(stdout).find(({ event }) => event === 'start')!.device as { threads: number }).threads;
    expect([threads(one.stdout), threads(two.stdout)]).toEqual([1, 2]);
    expect(await loggedLosses('two')).toEqual(await loggedLosses('one'));
    expect(await readFile(join(folder, 'two', 'model.safetensors'))).toEqual(
      await readFile(join(folder, 'one', 'model.safetensors')),
    );
  });

  test('Ctrl-C stops after a step with code 130, and the run goes on to the weights of an unbroken one', async () => {
    const whole = await mixfold(folder, ...training('--steps', '30', '--out', 'whole'));
    expect(whole.code).toBe(0);
    const stopped = await interrupted(folder, training('--steps', '30', '--out', 'broken'), /"step":7,/, 'SIGINT');
    expect(stopped.code).toBe(130);
    expect(lines(stopped.stdout).at(-1)).toMatchObject({ event: 'end', stopped: true });
    const { code } = await mixfold(folder, 'train', '--resume', 'broken', '--backend', 'wasm');
    expect(code).toBe(0);
    expect(await weightsOf('broken')).toBe(await weightsOf('whole'));
    expect(await loggedLosses('broken')).toEqual(await loggedLosses('whole'));
  });

  test('killed at any moment, it goes on from a whole checkpoint', async () => {
    const whole = await mixfold(folder, ...training('--steps', '60', '--out', 'unkilled'));
    expect(whole.code).toBe(0);
    await interrupted(folder, training('--steps', '60', '--out', 'killed'), /"checkpoint"/, 'SIGKILL');
    for (const at of [14, 20, 31, 47]) {
      const { stderr } = await interrupted(
        folder,
        ['train', '--resume', 'killed', '--backend', 'wasm'],
        new RegExp(`"step":${at},`),
        'SIGKILL',
      );
      expect(stderr).toBe('');
    }
    await mixfold(folder, 'train', '--resume', 'killed', '--backend', 'wasm');
    expect(await weightsOf('killed')).toBe(await weightsOf('unkilled'));
    expect(await loggedLosses('killed')).toEqual(await loggedLosses('unkilled'));
    expect((await readdir(join(folder, 'killed'))).filter((name) => name.endsWith('.tmp'))).toEqual([]);
  });

  test.each(['mssa', 'crate'])('trains, evaluates and samples %s, whose positions end with the context', async (mixer) => {
    expect(await mixfold(folder, ...training('--steps', '2', '--mixer', mixer, '--out', mixer))).toMatchObject({
      code: 0,
      stderr: '',
    });
    const [evaluated, sampled] = await Promise.all([
      mixfold(folder, 'eval', mixer, '--backend', 'wasm'),
      mixfold(folder, 'sample', mixer, '--prompt', 'Call me', '--tokens', '30', '--backend', 'wasm'),
    ]);
    expect([evaluated.stderr, sampled.stderr]).toEqual(['', '']);
    expect(lines(evaluated.stdout)[0]).toMatchObject({ event: 'evaluate', loss: expect.any(Number) });
    expect(sampled.stdout.startsWith('Call me')).toBe(true);
    const report = await readFile(join(folder, mixer, 'report.html'), 'utf8');
    expect(report).toContain('Mssa');
  });

  test('--stop-after stops, and a finished run takes more steps', async () => {
    expect((await mixfold(folder, ...training('--steps', '9', '--out', 'parts', '--stop-after', '3'))).code).toBe(130);
    expect((await mixfold(folder, 'train', '--resume', 'parts', '--backend', 'wasm')).code).toBe(0);
    const finished = await mixfold(folder, 'train', '--resume', 'parts', '--backend', 'wasm');
    expect(finished.stderr).toBe('error: --resume parts has made its 9 steps; go on with --steps N, more than 9\n');
    expect((await mixfold(folder, 'train', '--resume', 'parts', '--backend', 'wasm', '--steps', '10')).code).toBe(0);
  });
});

describe('mixfold eval, sample, report', () => {
  test('eval measures what the run measured', async () => {
    const { stdout } = await mixfold(folder, 'eval', 'done', '--backend', 'wasm');
    const end = lines(await readFile(join(folder, 'done', 'log.jsonl'), 'utf8')).at(-1)!;
    expect(lines(stdout)).toEqual([expect.objectContaining({ event: 'evaluate', loss: end.loss, order1: end.order1, step: 4 })]);
  });

  test('sample continues a prompt, the same for a seed', async () => {
    const sample = (seed: string) =>
      mixfold(folder, 'sample', 'done', '--prompt', 'Call me', '--tokens', '20', '--seed', seed, '--backend', 'wasm');
    const [one, same, other] = await Promise.all([sample('1'), sample('1'), sample('2')]);
    expect(one.stdout.startsWith('Call me')).toBe(true);
    expect(same.stdout).toBe(one.stdout);
    expect(other.stdout).not.toBe(one.stdout);
  });

  test('report writes the page again', async () => {
    await rm(join(folder, 'done', 'report.html'));
    expect((await mixfold(folder, 'report', 'done')).stdout).toBe(`${join('done', 'report.html')}\n`);
    expect(existsSync(join(folder, 'done', 'report.html'))).toBe(true);
  });

  test('help names commands and options', async () => {
    expect((await mixfold(folder, '--help')).stdout).toMatch(/train.*\n.*eval.*\n.*sample.*\n.*report/);
    expect((await mixfold(folder, 'train', '--help')).stdout).toContain('--resume');
  });
});

describe('bad input is one line, exit code 1, and nothing is written', () => {
  const mend = 'give a folder that mixfold train wrote';
  test.concurrent.each<[string, string[], string]>([
    ['an unknown command', ['bench'], "unknown command 'bench'; the commands are train, eval, sample, report, reproduce, doctor"],
    ['an unknown option', ['train', '--dims', '4'], 'unknown option --dims; the options are --task, --mixer'],
    ['an unknown short option', ['train', '-x'], 'unknown option -x; the options are'],
    ['a word too many', ['train', 'text'], "'text' is one word too many"],
    ['a task that does not exist', ['train', '--task', 'cifar10'], "--task 'cifar10' does not exist; the choices are text"],
    [
      'a mixer that does not exist',
      ['train', '--mixer', 'rnn'],
      "--mixer 'rnn' does not exist; the choices are aft-simple, mhsa, shift, mssa, crate, shift+mhsa",
    ],
    [
      'an unknown backend',
      ['train', '--backend', 'cuda'],
      "--backend 'cuda' does not exist; the choices are tfjs-node-gpu, webgpu",
    ],
    ['an unknown build', ['train', '--build', 'avx'], "--build 'avx' does not exist; the choices are simd128, relaxed, auto"],
    [
      'threads that are no number',
      ['train', '--threads', 'all'],
      "--threads must be auto or a whole number, 1 or more, got 'all'",
    ],
    [
      'threads for another backend',
      training('--backend', 'cpu', '--threads', '2'),
      '--threads 2 is for the backend wasm, and this is cpu; leave it out, or take --backend wasm',
    ],
    ['steps that are no number', ['train', '--steps', 'many'], "--steps must be a whole number, 1 or more, got 'many'"],
    ['no value', ['train', '--steps'], '--steps must be a whole number, 1 or more, got nothing'],
    ['a negative size', ['train', '--dim', '-8'], "--dim must be a whole number, 1 or more, got '-8'"],
    ['a broken size', ['train', '--layers=1.5'], "--layers must be a whole number, 1 or more, got '1.5'"],
    ['a rate that is not finite', ['train', '--rate', 'Infinity'], "--rate must be a finite number above 0, got 'Infinity'"],
    ['a rate that is not a number', ['train', '--rate', 'NaN'], "--rate must be a finite number above 0, got 'NaN'"],
    ['an empty file', ['train', '--data', 'empty.txt'], '--data empty.txt is empty: give a file with text in it'],
    [
      'a short file',
      ['train', '--data', 'short.txt'],
      '--data short.txt has 5 bytes, too short for --context 128: give at least',
    ],
    ['no file', ['train', '--data', 'none.txt'], '--data none.txt does not exist: give the path of a text file'],
    ['a folder for a file', ['train', '--data', 'foreign'], '--data foreign is a folder'],
    [
      "somebody else's folder",
      ['train', '--out', 'foreign'],
      '--out foreign exists and is not a mixfold run; give another folder with --out',
    ],
    ['a file for a folder', ['train', '--out', 'text.txt'], '--out text.txt is a file; give another folder with --out'],
    ['a folder below a file', training('--out', 'text.txt/run'), '--out text.txt/run cannot be used (ENOTDIR)'],
    ['nothing to resume', ['train', '--resume', 'none', '--backend', 'wasm'], `none does not exist; ${mend}`],
    [
      'a foreign folder to resume',
      ['train', '--resume', 'foreign', '--backend', 'wasm'],
      `foreign holds no model.safetensors; ${mend}`,
    ],
    ['another size for a run', ['train', '--resume', 'done', '--dim', '8'], '--dim cannot change with --resume'],
    [
      'another text for a run',
      ['train', '--resume', 'done', '--steps', '9', '--data', 'other.txt', '--backend', 'wasm'],
      '--data other.txt does not exist',
    ],
    ['no folder', ['eval'], 'Missing required positional argument: DIRECTORY'],
    ['a checkpoint that is not there', ['eval', 'foreign', '--backend', 'wasm'], `foreign holds no model.safetensors; ${mend}`],
    ['no prompt', ['sample', 'done', '--backend', 'wasm'], '--prompt must be followed by a value'],
    ['an empty prompt', ['sample', 'done', '--prompt', ''], '--prompt must be followed by a value'],
    [
      'a prompt beyond the context',
      ['sample', 'done', '--prompt', 'seventeen bytes!!', '--backend', 'wasm'],
      '--prompt has 17 bytes, but the model learnt to look at 16: shorten it',
    ],
    [
      'a negative temperature',
      ['sample', 'done', '--prompt', 'x', '--temperature', '-1'],
      '--temperature must be a finite number, 0 or above',
    ],
    ['no study', ['reproduce'], 'the name of a study comes first; the studies are shift-heads, aot-snr'],
    ['an unknown study', ['reproduce', 'gpt'], "there is no study 'gpt'; the studies are shift-heads, aot-snr"],
    ["another study's option", ['reproduce', 'aot-snr', '--data', 'x'], 'unknown option --data; the options are --tokens, --dim'],
    ['a negative noise', ['reproduce', 'aot-snr', '--noise', '0.1,-1'], "--noise must be a finite number above 0, got '-1'"],
    [
      'subspaces that do not fit',
      ['reproduce', 'aot-snr', '--dim', '100'],
      '--dim must be at least --heads times --head-dim, 256, for the subspaces to be orthogonal, got 100',
    ],
    [
      "a study into somebody else's folder",
      ['reproduce', 'shift-heads', '--out', 'foreign'],
      '--out foreign exists and is not a mixfold run; give another folder with --out',
    ],
    ['no log', ['report', 'foreign'], `${join('foreign', 'log.jsonl')} cannot be read (ENOENT); ${mend}`],
  ])('%s', async (_, args, message) => {
    const before = await readdir(folder, { recursive: true });
    const { code, stdout, stderr } = await mixfold(folder, ...args);
    expect(stderr).toContain(`error: ${message}`);
    expect(stderr).toMatch(/^error: [^\n]+\n$/);
    expect([code, stdout]).toEqual([1, '']);
    const strangers = (await readdir(folder, { recursive: true })).filter((name) => !before.includes(name));
    expect(strangers).toEqual([]);
  });

  test('a truncated or changed checkpoint', async () => {
    const damaged = join(folder, 'damaged');
    for (const [file, message] of [
      ['model.safetensors', /^error: damaged\/model\.safetensors is damaged: .*; restore it, or train again\n$/],
      ['optimizer-4.safetensors', /^error: damaged\/optimizer-4\.safetensors is damaged/],
      ['state.json', /^error: damaged\/state\.json is damaged/],
    ] as const) {
      await cp(join(folder, 'done'), damaged, { recursive: true });
      await truncate(join(damaged, file), 60);
      const resumed = await mixfold(folder, 'train', '--resume', 'damaged', '--steps', '9', '--backend', 'wasm');
      expect(resumed.stderr).toMatch(message);
      expect([resumed.code, resumed.stdout]).toEqual([1, '']);
      await rm(damaged, { recursive: true });
    }
  });
});

describe('mixfold doctor', () => {
  test('says what was chosen, what was not and why, and measures it', async () => {
    const { code, stdout } = await mixfold(folder, 'doctor', '--backend', 'wasm', '--json');
    expect(code).toBe(0);
    const { report, reason, rates, features, threads, versions } = JSON.parse(stdout);
    expect(report).toMatchObject({ backend: 'wasm', software: false, tried: [] });
    expect(report.fused).toContain('AftSimpleCausal');
    expect(features).toContain('simd128');
    expect(reason).toBe('it was asked for');
    expect(versions).toMatchObject({ tfjs: '4.22.0', '@tensorflow/tfjs-backend-wasm': '4.22.0' });
    const forms = ['ours, wasm simd128', 'ours, wasm relaxed'];
    expect(threads.auto).toBe(Math.min(8, availableParallelism()));
    const onThreads = threads.auto > 1 ? forms.map((form) => `${form}, ${threads.auto} threads`) : [];
    expect(Object.keys(rates)).toEqual(['tfjs wasm', ...forms, ...onThreads]);
    for (const { matMulGflops, copyGigabytes } of Object.values<Record<string, number>>(rates)) {
      expect(matMulGflops).toBeGreaterThan(0);
      expect(copyGigabytes).toBeGreaterThan(0);
    }
  });

  test('prints a table', async () => {
    const { code, stdout } = await mixfold(folder, 'doctor', '--backend', 'cpu');
    expect(code).toBe(0);
    for (const row of [/^machine +\w+ \w+, \d+ x /m, /^chosen +cpu: JavaScript/m, /^tfjs cpu +matMul 256\^3 [\d.]+ GFLOP\/s$/m]) {
      expect(stdout).toMatch(row);
    }
  });
});
