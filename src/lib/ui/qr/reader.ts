/** Reads a QR code out of a picture: by the browser where it can, else by a library that is fetched only then. */

/** What is looked at: a video that plays, or a canvas. */
export type Picture = HTMLVideoElement | HTMLCanvasElement;

/** The text in the picture, or undefined when there is no code to be read. Never rejects. */
export type ReadPicture = (picture: Picture) => Promise<string | undefined>;

interface Detector {
	detect(picture: Picture): Promise<readonly { readonly rawValue: string }[]>;
}
interface DetectorMaker {
	new (options: { formats: string[] }): Detector;
	getSupportedFormats(): Promise<readonly string[]>;
}

/** Longer sides are scaled down: enough for 113 modules at six dots each. */
const MAX_SIDE = 1280;

/** A reader for this browser. `maker`: `BarcodeDetector`, where the browser has one. */
export async function pictureReader(
	maker: DetectorMaker | undefined = (globalThis as { BarcodeDetector?: DetectorMaker }).BarcodeDetector
): Promise<ReadPicture> {
	const formats = (await maker?.getSupportedFormats().catch(() => [])) ?? [];
	if (maker !== undefined && formats.includes('qr_code')) {
		const detector = new maker({ formats: ['qr_code'] });
		return (picture) =>
			detector.detect(picture).then(
				([first]) => first?.rawValue,
				() => undefined
			);
	}
	const { default: decodeQR } = await import('qr/decode.js');
	const canvas = document.createElement('canvas');
	const context = canvas.getContext('2d', { willReadFrequently: true });
	return (picture) => {
		const [width, height] = sizeOf(picture);
		if (context === null || width === 0 || height === 0) return Promise.resolve(undefined);
		const scale = Math.min(1, MAX_SIDE / Math.max(width, height));
		[canvas.width, canvas.height] = [Math.round(width * scale), Math.round(height * scale)];
		context.drawImage(picture, 0, 0, canvas.width, canvas.height);
		try {
			return Promise.resolve(decodeQR(context.getImageData(0, 0, canvas.width, canvas.height)));
		} catch {
			return Promise.resolve(undefined);
		}
	};
}

function sizeOf(picture: Picture): readonly [number, number] {
	return 'videoWidth' in picture ? [picture.videoWidth, picture.videoHeight] : [picture.width, picture.height];
}
