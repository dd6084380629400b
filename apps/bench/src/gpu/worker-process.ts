import { type ChildProcess, fork } from 'node:child_process';
import type { WorkerAnswers, WorkerReply, WorkerRequest } from './protocol';

/** Set in the process that owns the device. */
export const workerMark = 'MIXFOLD_GPU_BENCH_WORKER';

/** The process did not answer in the time it had, and was ended. */
export class NoAnswer extends Error {}

/**
 * The process that owns the device. A driver that crashes, hangs or loses its device ends that process and one request; the next request
 * starts another.
 */
export class WorkerProcess {
  readonly #env: Readonly<Record<string, string>>;
  readonly #script: string;
  #child: ChildProcess | undefined;

  constructor(script: string, env: Readonly<Record<string, string>>) {
    this.#script = script;
    this.#env = env;
  }

  /** @throws NoAnswer; Error with what the worker reported, or how it ended. */
  ask<Request extends WorkerRequest>(request: Request, timeoutMs: number): Promise<WorkerAnswers[Request['ask']]> {
    const child = (this.#child ??= this.#start());
    return new Promise((resolve, reject) => {
      let errors = '';
      const done = () => {
        clearTimeout(timer);
        child.stderr!.off('data', onError);
        child.off('message', onReply);
        child.off('exit', onExit);
      };
      const onError = (text: string) => (errors = (errors + text).slice(-500));
      const onReply = (reply: WorkerReply) => {
        done();
        if ('error' in reply) reject(new Error(reply.error));
        else resolve(reply.answer as WorkerAnswers[Request['ask']]);
      };
      const onExit = (code: number | null, signal: string | null) => {
        done();
        this.#child = undefined;
        reject(new Error(`the process ended (${signal ?? `exit code ${code}`}) ${errors.trim()}`.trim()));
      };
      const timer = setTimeout(() => {
        done();
        this.close();
        reject(new NoAnswer(`no answer in ${(timeoutMs / 1000).toFixed(0)} s`));
      }, timeoutMs);
      child.stderr!.on('data', onError);
      child.on('message', onReply);
      child.on('exit', onExit);
      child.send(request);
    });
  }

  close(): void {
    this.#child?.kill('SIGKILL');
    this.#child = undefined;
  }

  #start(): ChildProcess {
    const child = fork(this.#script, [], {
      env: { ...process.env, ...this.#env, [workerMark]: '1' },
      stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
      execArgv: [],
      serialization: 'advanced',
    });
    child.stderr!.setEncoding('utf8');
    child.on('error', () => {});
    return child;
  }
}
