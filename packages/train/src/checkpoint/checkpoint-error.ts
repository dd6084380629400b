/**
 * A folder does not hold a checkpoint that can be used. One line that names the folder, the fault and the cure; test it by
 * `error.name`.
 */
export class CheckpointError extends Error {
  override readonly name = 'CheckpointError';
}
