import { defineConfig } from 'playwright/test';
import base from '../e2e/playwright.config.ts';

/** Slower truth: the same browser and rules, the tests of this folder. */
export default defineConfig({ ...base, testDir: '.', outputDir: '../../test-results/full' });
