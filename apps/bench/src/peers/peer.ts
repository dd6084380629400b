import type { PreparedCase } from '../check-operator';

export type Pass = 'forward' | 'both';

/** A library made ready to run one case and pass. */
export interface ReadyPeer {
  /** Library and version, and how it is set up. */
  readonly form: string;
  /** What it computes, for the check; gradients in the pass 'both' alone. */
  results(): Promise<{ output: ArrayLike<number>; gradients?: Readonly<Record<string, ArrayLike<number>>> }>;
  run(): void | Promise<void>;
  sample?(repeats: number): Promise<number>;
  dispose(): void | Promise<void>;
}

export interface Peer {
  readonly name: string;
  /** @throws Error saying why the library cannot take part in this case. */
  prepare(prepared: PreparedCase, pass: Pass): Promise<ReadyPeer>;
  /** Ends what it has started. */
  close?(): void;
}
