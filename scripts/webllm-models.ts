/**
 * Writes src/lib/engine/webllm-list.json: the models that the installed @mlc-ai/web-llm has libraries for. The page needs the list before it needs
 * the package, whose 7 MB it must not load for that. Run it with Node after each update; tests/unit/webllm-models.test.ts compares.
 */
import { writeFileSync } from 'node:fs';
import { ModelType, prebuiltAppConfig, type ModelRecord } from '@mlc-ai/web-llm';
import type { WebllmRow } from '../src/lib/engine/webllm-models.ts';

const MIB = 2 ** 20;

/** One row of the list from a record of the package. */
export function rowOf(record: ModelRecord): WebllmRow {
	const kind =
		record.model_type === ModelType.embedding ? 'embedding' : record.model_type === ModelType.VLM ? 'vision' : 'chat';
	return {
		id: record.model_id,
		folder: `${record.model}/resolve/main/`,
		library: record.model_lib,
		memoryBytes: Math.ceil((record.vram_required_MB ?? 0) * MIB),
		lowResource: record.low_resource_required === true,
		f16: record.required_features?.includes('shader-f16') === true || /q\df16/.test(record.model_id),
		contextTokens: record.overrides?.context_window_size ?? record.overrides?.sliding_window_size ?? 0,
		kind,
		ownPackage: record.model_manifest !== undefined
	};
}

if (import.meta.main) {
	const rows = prebuiltAppConfig.model_list.map(rowOf);
	const target = new URL('../src/lib/engine/webllm-list.json', import.meta.url);
	writeFileSync(target, `${JSON.stringify(rows, null, '\t')}\n`);
}
