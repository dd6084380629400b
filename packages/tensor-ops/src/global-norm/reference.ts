export function globalNormReference(tensors: readonly ArrayLike<number>[]): number {
  let sum = 0;
  for (const tensor of tensors) for (let i = 0; i < tensor.length; i++) sum += tensor[i]! ** 2;
  return Math.sqrt(sum);
}
