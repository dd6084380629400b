export { AftSimple } from './aft-simple-layer';
export type { AftLayerArgs } from './projected-layer';
