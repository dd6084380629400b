export function buildKernels(packageFolder: string): Promise<{ compiled: string[]; fresh: string[] }>;
