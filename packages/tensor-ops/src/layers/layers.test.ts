import { describeBackends } from '@mixfold/testing';
import * as tf from '@tensorflow/tfjs-core';
import * as tfl from '@tensorflow/tfjs-layers';
import { expect, test } from 'vitest';
import { checkLayerOptions, inputOf, knownShape, passedMask, readInitializer } from './index';

describeBackends(
  'what layers share',
  () => {
    test('initializers are read by name, configuration and object, and written as a model file has them', () => {
      const byObject = readInitializer(tfl.initializers.glorotNormal({ seed: 3 }));
      const config = byObject.config as tf.serialization.ConfigDict;
      expect(config.className).toBe('VarianceScaling');
      const again = readInitializer(JSON.parse(JSON.stringify(config)));
      expect(again.config).toEqual(byObject.config);
      expect(again.initializer.apply([2, 3]).arraySync()).toEqual(byObject.initializer.apply([2, 3]).arraySync());
      expect(readInitializer('zeros').initializer.apply([2]).arraySync()).toEqual([0, 0]);
      expect(() => readInitializer('zeroes')).toThrow('zeroes');
    });

    test('the options of every layer pass, others are checked', () => {
      const rules = { heads: 'positiveInteger' } as const;
      checkLayerOptions('Mixer', { name: 'a', inputShape: [2, 3], trainable: true, heads: 2 }, rules);
      expect(() => checkLayerOptions('Mixer', { head: 2 }, rules)).toThrow("Mixer: unknown option 'head'; the options are heads");
      expect(() => checkLayerOptions('Mixer', { heads: 0 }, rules)).toThrow(
        'Mixer: option heads must be an integer above 0, got 0',
      );
    });

    test('shapes, inputs and masks are the first of a list, or the only one', () => {
      const axes = ['batch', 'time', 'dim'];
      expect(knownShape('Mixer', [null, null, 4], axes)).toEqual([[null, null, 4], 4]);
      expect(knownShape('Mixer', [[null, 2, 4]], axes)).toEqual([[null, 2, 4], 4]);
      expect(() => knownShape('Mixer', [null, 4], axes)).toThrow('Mixer: input must have 3 axes [batch time dim], got [, 4]');
      expect(() => knownShape('Mixer', [null, 2, null], axes)).toThrow(
        'Mixer: the last axis of the input must be known, got null',
      );
      const [x, mask] = [tf.ones([1]), tf.ones([1])];
      expect(inputOf([x], { mask: [mask] })).toEqual({ x, mask });
      expect(inputOf(x, { mask: null })).toEqual({ x, mask: undefined });
      expect(inputOf(x, {}).mask).toBeUndefined();
      expect(passedMask([mask])).toBe(mask);
      expect(passedMask(mask)).toBe(mask);
    });
  },
  { only: ['cpu'] },
);
