const RECENT = 20;

/** Speed of a run over its last twenty steps. */
export class Pace {
  private readonly ends: number[] = [performance.now()];

  constructor(private readonly tokensPerStep: number) {}

  /** A step ended now. */
  count(): void {
    this.ends.push(performance.now());
    if (this.ends.length > RECENT + 1) this.ends.shift();
  }

  tokensPerSecond(): number {
    return this.tokensPerStep / this.secondsPerStep();
  }

  secondsFor(steps: number): number {
    return steps * this.secondsPerStep();
  }

  private secondsPerStep(): number {
    const elapsed = this.ends.at(-1)! - this.ends[0]!;
    return Math.max(elapsed, 1e-3) / 1000 / (this.ends.length - 1);
  }
}
