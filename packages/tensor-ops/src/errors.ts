// Classes are told apart by `name`, never by `instanceof`: the ESM and CJS builds of a package each carry their own.

/** An argument has the wrong number of axes, or two arguments disagree on an axis. */
export class ShapeError extends RangeError {
  override readonly name = 'ShapeError';
}

/** An argument is not a tensor, or holds another element type than the operator takes. */
export class DTypeError extends TypeError {
  override readonly name = 'DTypeError';
}

/** An option is unknown, has the wrong type, or lies outside its range. */
export class OptionError extends RangeError {
  override readonly name = 'OptionError';
}

/** The WebGPU device is gone, and every tensor on it. */
export class DeviceLostError extends Error {
  override readonly name = 'DeviceLostError';

  /** @param reason - `'destroyed'` if the program itself destroyed the device, `'unknown'` if the driver or the browser took it away. */
  constructor(
    readonly reason: GPUDeviceLostReason,
    message: string,
  ) {
    super(message);
  }
}
