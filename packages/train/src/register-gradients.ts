// tfjs-core alone registers no gradients; tfjs-layers registers all of them, and is smaller than the union package, which also
// brings converters and data.
import '@tensorflow/tfjs-layers';
