export const wasmAftConv1d = undefined as never;
export const wasmAftConv1dBackward = undefined as never;
