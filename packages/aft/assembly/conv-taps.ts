// The taps of a tile, e^bias, and their gradient.
import { splat } from '../../tensor-ops/assembly/math';
import { addTapGradients } from '../../tensor-ops/assembly/taps';
import { causal, centerX, centerY, dTaps, first, firstHead, headChannels, height, isDirect, isFurtherPart, lostTaps, positions, row, scalarBytes, second, slot, taps, tileHeads, width, windowHeight, windowWidth } from './conv-call';
import { packElement, setDirection } from './conv-rows';
import { beginLine, beginSegment, gridReferences, REFERENCES } from './conv-sums';
import { expCall } from './slots';

/** The slot of negated references. */
const NEGATIVE: usize = 11;

/** e^bias for every lane of the tile, tap by tap. */
export function prepareTaps(kernel: usize): void {
  const size = windowHeight * windowWidth;
  const channels = <usize>headChannels << 2;
  for (let r: i32 = 0; r < size; r++) {
    const lanes = taps + row * r;
    v128.store(lanes + row - 16, splat(0.0));
    v128.store(lanes + row - 32, splat(0.0));
    let target = lanes + scalarBytes();
    for (let h: i32 = 0; h < tileHeads; h++) {
      const weight = expCall(v128.load32_splat(kernel + (<usize>((firstHead + h) * size + r) << 2)));
      v128.store_lane<f32>(lanes + (<usize>h << 2), weight, 0);
      for (let c: usize = 0; c < channels; c += 4) v128.store_lane<f32>(target + c, weight, 0);
      target += channels;
    }
  }
}

/** Adds what each pair of target and source gives to the gradient of its tap. Sources are in `first`, targets in `second`. */
function addGradients(y: i32, sources: usize, targets: usize, begin: i32, end: i32): void {
  const lanes = <i32>(row >> 2);
  addTapGradients(
    sources,
    targets,
    dTaps,
    lostTaps,
    y,
    begin,
    end,
    height,
    width,
    lanes,
    windowHeight,
    windowWidth,
    centerY,
    centerX,
    1,
  );
}

/** Rows of targets relative to the references of sources, in ascending order of their places. */
function packTargets(begin: i32, end: i32, to: usize): void {
  const negative = slot(NEGATIVE);
  for (let i: usize = 0; i < row; i += 16) v128.store(negative + i, f32x4.neg(v128.load(slot(REFERENCES) + i)));
  setDirection(true);
  for (let place = begin; place < end; place++) packElement(positions - 1 - place, to + row * (place - begin), negative);
  setDirection(false);
}

export function tapGradients(): void {
  setDirection(false);
  if (!causal) {
    gridReferences();
    for (let i: i32 = 0; i < positions; i++) packElement(i, first + row * i, slot(REFERENCES));
    packTargets(0, positions, second);
    for (let y: i32 = 0; y < height; y++) {
      const line = row * (y * width);
      addGradients(y, first + line, second + line, 0, width);
    }
    return;
  }
  beginLine(0, 0);
  for (let begin: i32 = 0; begin < positions; ) {
    const end = beginSegment(begin);
    const origin = max(0, begin - windowWidth);
    for (let i = origin; i < end; i++) packElement(i, first + row * (i - origin), slot(REFERENCES));
    packTargets(begin, end, second);
    addGradients(0, first - row * origin, second - row * begin, begin, end);
    begin = end;
  }
}

/** The gradient of the tile's biases from the sums over lanes. */
export function finishTaps(kernel: usize, dKernel: usize): void {
  const size = windowHeight * windowWidth;
  for (let h: i32 = 0; h < tileHeads; h++) {
    for (let r: i32 = 0; r < size; r++) {
      const lanes = dTaps + row * r;
      let sum = load<f32>(lanes + (<usize>h << 2));
      if (!isDirect) {
        const channels = lanes + scalarBytes() + (<usize>(h * headChannels) << 2);
        for (let c: i32 = 0; c < headChannels; c++) sum += load<f32>(channels + (<usize>c << 2));
        sum *= load<f32>(taps + row * r + (<usize>h << 2));
      }
      const gradient = dKernel + (<usize>((firstHead + h) * size + r) << 2);
      store<f32>(gradient, isFurtherPart ? load<f32>(gradient) + sum : sum);
    }
  }
}
