/**
 * What the user gave cannot be used: the message is one line that names the argument, its value and the cure.
 *
 * Test it by `error.name === 'InputError'`, as with every error of these packages.
 */
export class InputError extends Error {
  override readonly name = 'InputError';
}
