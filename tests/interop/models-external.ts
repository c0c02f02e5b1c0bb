/** An ONNX file cut in two, as exporters cut large ones: the graph, and its tensors in a file beside it. Works on the wire format, without onnx.proto. */

interface Field {
	readonly number: number;
	/** The field with its key. */
	readonly whole: Buffer;
	/** What a length-delimited field holds. */
	readonly body: Buffer | undefined;
}

const GRAPH = 7;
const INITIALIZER = 5;
const RAW_DATA = 9;
const EXTERNAL_DATA = 13;
const DATA_LOCATION = 14;
/** Smaller tensors stay in the graph, as exporters leave them. */
const LEAST_BYTES = 1024;

/** The graph and its data; `location` is what the graph calls the data. */
export function cutOut(model: Buffer, location: string): { readonly graph: Buffer; readonly data: Buffer } {
	const data: Buffer[] = [];
	let offset = 0;
	const tensor = (body: Buffer): Buffer => {
		const parts = fieldsOf(body);
		const raw = parts.find(({ number }) => number === RAW_DATA)?.body;
		if (raw === undefined || raw.length < LEAST_BYTES) return body;
		const entries = Object.entries({ location, offset: `${offset}`, length: `${raw.length}` });
		data.push(raw);
		offset += raw.length;
		const text = ([key, value]: [string, string]) =>
			Buffer.concat([field(1, Buffer.from(key)), field(2, Buffer.from(value))]);
		return Buffer.concat([
			...parts.filter(({ number }) => number !== RAW_DATA).map(({ whole }) => whole),
			...entries.map((entry) => field(EXTERNAL_DATA, text(entry))),
			Buffer.concat([varint(DATA_LOCATION << 3), varint(1)])
		]);
	};
	const within = (body: Buffer, wanted: number, change: (body: Buffer) => Buffer) =>
		Buffer.concat(
			fieldsOf(body).map((each) =>
				each.number === wanted && each.body ? field(wanted, change(each.body)) : each.whole
			)
		);
	const graph = within(model, GRAPH, (body) => within(body, INITIALIZER, tensor));
	return { graph, data: Buffer.concat(data) };
}

function fieldsOf(bytes: Buffer): Field[] {
	const found: Field[] = [];
	for (let at = 0; at < bytes.length;) {
		const start = at;
		const next = () => {
			let value = 0;
			for (let shift = 1; ; shift *= 128) {
				const byte = bytes[at++] as number;
				value += (byte & 127) * shift;
				if (byte < 128) return value;
			}
		};
		const key = next();
		let body: Buffer | undefined;
		if ((key & 7) === 0) next();
		else if ((key & 7) === 1) at += 8;
		else if ((key & 7) === 5) at += 4;
		else {
			const length = next();
			body = bytes.subarray(at, at + length);
			at += length;
		}
		found.push({ number: key >>> 3, whole: bytes.subarray(start, at), body });
	}
	return found;
}

function field(number: number, body: Buffer): Buffer {
	return Buffer.concat([varint((number << 3) | 2), varint(body.length), body]);
}

function varint(value: number): Buffer {
	const bytes: number[] = [];
	for (let rest = value; ; rest = Math.floor(rest / 128)) {
		if (rest < 128) return Buffer.from([...bytes, rest]);
		bytes.push((rest % 128) | 128);
	}
}
