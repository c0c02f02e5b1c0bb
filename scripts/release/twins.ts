/**
 * Gzip twins: `<path>.gz` beside files that shrink well, for gateways that send everything as it is (docs/spec/release.md).
 *
 * Packed by fflate, which is plain JavaScript: zlib packs the same bytes differently on different processors, and a release would
 * get another name on every kind of machine.
 */
import { gzipSync } from 'fflate';
import { TWIN, type Folder } from './folder.ts';

/** Below this a twin costs a request and saves nothing to speak of. */
const FROM_BYTES = 32 * 1024;
/** A twin must be smaller by this much, or it is not worth its place. */
const SAVES_AT_LEAST = 0.1;
/** The page's own scripts load before anybody can unpack them; a twin serves updates and the large parts all the same. */
const PACKABLE = /\.(?:js|css|json|wasm|onnx|svg)$/;

/** The folder with twins. */
export function withTwins(payload: Folder): Folder {
	const all = new Map(payload);
	for (const [name, bytes] of payload) {
		if (!PACKABLE.test(name) || bytes.length < FROM_BYTES) continue;
		const packed = gzipSync(bytes, { level: 9, mtime: 0 });
		if (packed.length <= bytes.length * (1 - SAVES_AT_LEAST)) all.set(name + TWIN, packed);
	}
	return new Map([...all].sort(([a], [b]) => (a < b ? -1 : 1)));
}
