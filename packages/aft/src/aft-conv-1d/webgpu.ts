export const webgpuAftConv1d = undefined as never;
export const webgpuAftConv1dBackward = undefined as never;
