/** More threads than this are for a user to ask for: one thread copies for all of them. */
const most = 8;

/** The number of threads that `'auto'` stands for. */
export function automaticThreads(): number {
  const os = typeof process === 'undefined' ? undefined : process.getBuiltinModule?.('node:os');
  return Math.min(os?.availableParallelism() ?? 1, most);
}
