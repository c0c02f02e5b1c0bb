/** What the graphics adapter offers, as far as WebLLM needs to know. Used by the page, to say what fits, and by the worker, before it loads. */
import { Refusal } from '#lib/protocol/errors.ts';

export interface AdapterFacts {
	/** e.g. `nvidia hopper`; browsers may leave it empty. */
	readonly name: string;
	/** Computed by the CPU: SwiftShader, llvmpipe, WARP. */
	readonly software: boolean;
	readonly f16: boolean;
	readonly subgroups: boolean;
	readonly features: readonly string[];
	readonly maxBufferBytes: number;
	readonly maxBindingBytes: number;
	readonly workgroupStorageBytes: number;
	readonly storageBuffersPerStage: number;
}

/** What the library asks of every device (detectGPUDevice in 0.2.86), whatever the model. */
export const LEAST_BUFFER_BYTES = 256 * 2 ** 20;
export const LEAST_BINDING_BYTES = 128 * 2 ** 20;
const LEAST_WORKGROUP_STORAGE_BYTES = 32 * 2 ** 10;
const LEAST_STORAGE_BUFFERS = 10;

/** Names that software adapters go by; `isFallbackAdapter` is missing in several browsers. */
const SOFTWARE = /swiftshader|llvmpipe|lavapipe|softpipe|software|basic render|\bwarp\b/i;

/** Copied back and forth to tell the speed of the device's memory: large enough to leave the caches. */
const PROBE_BYTES = 64 * 2 ** 20;
const PROBE_ROUNDS = 4;
/** GPUBufferUsage.COPY_SRC | COPY_DST; the names are values of a browser's global scope, which types do not know. */
const COPY_BOTH_WAYS = 0x4 | 0x8;

/** Undefined where there is no WebGPU or no adapter. Never rejects: a browser that throws here has none either. */
export async function lookAtAdapter(gpu: GPU | undefined): Promise<AdapterFacts | undefined> {
	const adapter = await gpu?.requestAdapter({ powerPreference: 'high-performance' }).catch(() => null);
	return adapter == null ? undefined : factsOf(adapter);
}

/** The facts of an adapter at hand. */
export function factsOf({ info, features, limits }: Pick<GPUAdapter, 'info' | 'features' | 'limits'>): AdapterFacts {
	const { vendor = '', architecture = '', device = '', description = '' } = info;
	return {
		name: [vendor, architecture].filter((word) => word !== '').join(' ') || description,
		software: info.isFallbackAdapter || SOFTWARE.test([vendor, architecture, device, description].join(' ')),
		f16: features.has('shader-f16'),
		subgroups: features.has('subgroups'),
		features: [...features],
		maxBufferBytes: limits.maxBufferSize,
		maxBindingBytes: limits.maxStorageBufferBindingSize,
		workgroupStorageBytes: limits.maxComputeWorkgroupStorageSize,
		storageBuffersPerStage: limits.maxStorageBuffersPerShaderStage
	};
}

/** Refusal `no-graphics` when this adapter cannot run a model with these needs at all. */
export function requireAdapter(
	facts: AdapterFacts | undefined,
	features: readonly string[],
	softwareAllowed: boolean
): AdapterFacts {
	if (facts === undefined) throw new Refusal('no-graphics', 'no adapter');
	if (facts.software && !softwareAllowed) throw new Refusal('no-graphics', `software adapter ${facts.name}`);
	const missing = features.find((feature) => !facts.features.includes(feature));
	if (missing !== undefined) throw new Refusal('no-graphics', `${missing} is missing`);
	const enough =
		facts.maxBufferBytes >= LEAST_BUFFER_BYTES &&
		facts.maxBindingBytes >= LEAST_BINDING_BYTES &&
		facts.workgroupStorageBytes >= LEAST_WORKGROUP_STORAGE_BYTES &&
		facts.storageBuffersPerStage >= LEAST_STORAGE_BUFFERS;
	if (!enough) throw new Refusal('no-graphics', 'limits are too low');
	return facts;
}

/**
 * Bytes per second that the adapter reads from its own memory, by copying; undefined when it cannot be told. An answer reads all weights
 * once per token, so this number and the size of a model tell its speed before anything is fetched.
 */
export async function measureBandwidth(gpu: GPU | undefined, monotonic: () => number): Promise<number | undefined> {
	try {
		const device = await (await gpu?.requestAdapter({ powerPreference: 'high-performance' }))?.requestDevice();
		if (device === undefined) return undefined;
		const [from, to] = [
			device.createBuffer({ size: PROBE_BYTES, usage: COPY_BOTH_WAYS }),
			device.createBuffer({ size: PROBE_BYTES, usage: COPY_BOTH_WAYS })
		];
		const round = async (times: number) => {
			const encoder = device.createCommandEncoder();
			for (let i = 0; i < times; i++) encoder.copyBufferToBuffer(from, 0, to, 0, PROBE_BYTES);
			device.queue.submit([encoder.finish()]);
			await device.queue.onSubmittedWorkDone();
		};
		// The first round pays for the memory being made.
		await round(1);
		const started = monotonic();
		await round(PROBE_ROUNDS);
		const seconds = (monotonic() - started) / 1000;
		device.destroy();
		return seconds > 0 ? (PROBE_BYTES * PROBE_ROUNDS) / seconds : undefined;
	} catch {
		return undefined;
	}
}
