import { preset } from '@mixfold/build/tsup';
import { defineConfig } from 'tsup';

export default defineConfig(preset());
