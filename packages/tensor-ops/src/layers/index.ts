export { inputOf, knownShape, passedMask, type Shape } from './layer-input';
export { checkLayerOptions, type LayerArgs } from './layer-options';
export { type LayerVariable, projectLastAxis } from './project-last-axis';
export { type Initializer, type InitializerArg, type ReadInitializer, readInitializer } from './read-initializer';
