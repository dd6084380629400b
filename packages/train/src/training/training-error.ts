/** Training cannot go on. One line that says why and the cure; test it by `error.name`. */
export class TrainingError extends Error {
  override readonly name = 'TrainingError';
}
