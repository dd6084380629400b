import type { Options } from 'tsup';

export function preset(overrides?: Options): Options;
