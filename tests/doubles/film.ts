/** Pictures as a film for Chromium's fake camera (`--use-file-for-fake-video-capture`): Y4M, shown again and again. */
import { writeFile } from 'node:fs/promises';
import { correction, generate } from 'lean-qr';

/** Dots of a side; even, as 4:2:0 needs. A code of 113 modules with its margin has six dots a module. */
const SIDE = 728;
const QUIET = 4;

/** A QR code, dark and light as one byte a dot. */
export function pictureOf(text: string): Uint8Array {
	const code = generate(text, { minCorrectionLevel: correction.L });
	const scale = Math.floor(SIDE / (code.size + 2 * QUIET));
	const margin = Math.floor((SIDE - code.size * scale) / 2);
	return Uint8Array.from({ length: SIDE * SIDE }, (_, at) => {
		const [x, y] = [at % SIDE, Math.floor(at / SIDE)].map((dot) => Math.floor((dot - margin) / scale));
		return code.get(x ?? 0, y ?? 0) ? 16 : 235;
	});
}

/** Writes the film, `perSecond` pictures a second. */
export async function writeFilm(file: string, pictures: readonly Uint8Array[], perSecond: number): Promise<void> {
	const grey = new Uint8Array((SIDE * SIDE) / 2).fill(128);
	const frame = Buffer.from('FRAME\n');
	const head = Buffer.from(`YUV4MPEG2 W${SIDE} H${SIDE} F${perSecond}:1 Ip A1:1 C420jpeg\n`);
	await writeFile(file, Buffer.concat([head, ...pictures.flatMap((picture) => [frame, picture, grey])]));
}
