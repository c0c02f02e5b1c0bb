/** The double that screens are tested with does what the port says. */
import { test } from 'vitest';
import { MODELS_CASES } from '../compliance/models.ts';
import { VirtualClock } from '../doubles/clock.ts';
import { ScriptedEngine } from '../doubles/engine.ts';
import { MemoryModels, modelEntry, SOME_MODELS } from '../doubles/models.ts';

test.each(MODELS_CASES)('$name', async ({ run }) => {
	const clock = new VirtualClock();
	const found = modelEntry('onnx-0123456789abcdef', { licence: 'apache-2.0' });
	const entries = SOME_MODELS.slice(0, 1);
	const models = new MemoryModels({ entries, found, engine: (modelId) => new ScriptedEngine({ clock, modelId }) });
	await run({
		// One memory for all tabs.
		open: async () => models,
		address: 'https://models.example/acme/tiny',
		files: async () => [new File(['x'], 'model.onnx')]
	});
});
