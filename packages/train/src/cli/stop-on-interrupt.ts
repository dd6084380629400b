/** Exit code of a run that was stopped: that of a program ended by Ctrl-C. */
export const STOPPED = 130;

/**
 * A signal that Ctrl-C (or a request to terminate) sets off; a second one ends the process at once, and `release` gives Ctrl-C
 * back.
 */
export function stopOnInterrupt(): { signal: AbortSignal; release(): void } {
  const controller = new AbortController();
  const stop = () => {
    if (controller.signal.aborted) process.exit(STOPPED);
    controller.abort();
    process.stderr.write('\nStopping after this step and saving; Ctrl-C again ends at once\n');
  };
  process.on('SIGINT', stop);
  process.on('SIGTERM', stop);
  const release = () => {
    process.off('SIGINT', stop);
    process.off('SIGTERM', stop);
  };
  return { signal: controller.signal, release };
}
