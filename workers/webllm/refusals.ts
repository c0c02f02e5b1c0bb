/**
 * What WebLLM throws, as codes. It has 68 error classes and throws bare Errors for the rest; a bundler may rename classes but not the `name` they
 * set, so names and the fixed beginnings of messages are matched. Messages are never passed on: they may quote what was worked on.
 */
import { Refusal, type Code } from '#lib/protocol/errors.ts';

/** What is known of the graphics device from the device itself; the package tells nobody. */
export interface DeviceFate {
	readonly lost: boolean;
	/** A buffer was refused for lack of memory; the package destroys the device then. */
	readonly outOfMemory: boolean;
	/** Resolves when it is lost, or was not lost a moment later: work on a lost device fails before the browser says that it is lost. */
	settle(): Promise<void>;
	/** Runs work that also ends when the device is lost: the package may then wait for it for ever. Rejects as the work does, or with undefined. */
	during<T>(work: () => Promise<T>): Promise<T>;
}

const MOMENT_MS = 250;

const BY_NAME: Readonly<Record<string, Code>> = {
	LinkError: 'model-unsupported',
	CompileError: 'model-unsupported',
	ArtifactManifestError: 'model-unsupported',
	UnsupportedTokenizerFilesError: 'model-unsupported',
	WindowSizeConfigurationError: 'model-unsupported',
	WindowSizeSpecificationError: 'model-unsupported',
	AttentionSinkSizeError: 'model-unsupported',
	MissingModelWasmError: 'model-unsupported',
	ConfigValueError: 'model-unsupported',
	MinValueError: 'model-unsupported',
	FeatureSupportError: 'no-graphics',
	ShaderF16SupportError: 'no-graphics',
	WebGPUNotAvailableError: 'no-graphics',
	WebGPUNotFoundError: 'no-graphics',
	DeviceLostError: 'device-lost',
	// After a load that succeeded: it unloads itself when its device is lost.
	ModelNotLoadedError: 'device-lost',
	QuotaExceededError: 'storage-full'
};

/** Messages of errors that bring no name of their own, as 0.2.86 writes them. */
const BY_MESSAGE: readonly (readonly [RegExp, Code])[] = [
	[/^Cannot find (global function|required VM function|.* in exports)/, 'model-unsupported'],
	[/^(Invalid|Unsupported) .*(ABI|kv_state_kind)/, 'model-unsupported'],
	[/Unable to find a compatible GPU|^Cannot initialize runtime because of requested/, 'no-graphics'],
	[/Object has already been disposed|has already been disposed/, 'device-lost'],
	// A module that it imports is missing altogether: not a LinkError but a TypeError.
	[/^WebAssembly\.\w+\(/, 'model-unsupported'],
	[/^Cannot allocate \d+ bytes in Wasm memory|out of memory/i, 'out-of-memory']
];

/** A Refusal for anything thrown; `fallback` when it is not known. */
export function refusalOf(error: unknown, fate: Pick<DeviceFate, 'lost' | 'outOfMemory'>, fallback: Code): Refusal {
	if (error instanceof Refusal) return error;
	const { name, message } = error instanceof Error ? error : { name: typeof error, message: '' };
	if (fate.outOfMemory) return new Refusal('out-of-memory', name);
	if (fate.lost) return new Refusal('device-lost', name);
	if (error instanceof RangeError) return new Refusal('out-of-memory', name);
	const found = BY_NAME[name] ?? BY_MESSAGE.find(([pattern]) => pattern.test(message))?.[1];
	return new Refusal(found ?? fallback, name);
}

/**
 * Watches every device made from now on. Patches the prototype because the package makes its device itself and hands it to nobody.
 * Devices of an earlier load are watched too; one worker loads one model.
 */
export function watchDevices(
	adapters: Pick<GPUAdapter, 'requestDevice'>,
	oom: new (...args: never[]) => object
): DeviceFate {
	// One slot, because one pass runs at a time: a promise that lives as long as the device would keep a note of every pass.
	let onLoss: () => void = () => {};
	const hear = (work: (heard: () => void) => void) =>
		new Promise<void>((resolve) => {
			onLoss = resolve;
			work(resolve);
		});
	const fate = {
		lost: false,
		outOfMemory: false,
		settle: () => (fate.lost ? Promise.resolve() : hear((heard) => setTimeout(heard, MOMENT_MS))),
		during: async <T>(work: () => Promise<T>): Promise<T> => {
			const done = Promise.withResolvers<T>();
			onLoss = () => done.reject(undefined);
			work().then(done.resolve, done.reject);
			return done.promise;
		}
	};
	const original = adapters.requestDevice;
	adapters.requestDevice = async function (this: GPUAdapter, descriptor) {
		const device = await original.call(this, descriptor);
		void device.lost.then(() => {
			fate.lost = true;
			onLoss();
		});
		const pop = device.popErrorScope.bind(device);
		device.popErrorScope = async () => {
			const error = await pop();
			if (error instanceof oom) fate.outOfMemory = true;
			return error;
		};
		return device;
	};
	return fate;
}
