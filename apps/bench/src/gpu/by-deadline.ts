/** Why something was left out that would have gone beyond the time of a run. */
export const noTime = 'no time was left';

/** Waits for a promise until a moment by `performance.now()`. @throws Error with `noTime` if it is not settled by then. */
export async function byDeadline<Value>(promise: Promise<Value>, deadline: number): Promise<Value> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(noTime)), Math.max(0, deadline - performance.now()));
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}
