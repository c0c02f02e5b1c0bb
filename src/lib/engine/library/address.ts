/** An address that a person typed, and the places where a repository of the usual layout may begin around it. Pure. */
import { Refusal } from '#lib/protocol/errors.ts';
import { cleanName } from './names.ts';
import { MOST_ADDRESS } from './record.ts';

/** What to look at. */
export interface Lookout {
	readonly host: string;
	readonly name: string;
	/** Folders in which config.json may lie, best first; each ends with a slash. */
	readonly folders: readonly string[];
	/** The weights file that was named; undefined when a folder was. */
	readonly weights: string | undefined;
}

/** Folders of the layout that say nothing about the model. */
const NAMELESS = new Set(['onnx', 'main', 'resolve', 'blob', 'tree', 'raw', 'models']);

/** Refusal `malformed` for what is no http address, `oversized` for a long one. */
export function lookout(address: string): Lookout {
	const typed = address.trim();
	if (typed.length > MOST_ADDRESS) throw new Refusal('oversized', 'address');
	const url = parsed(typed);
	// A name and password in an address would be sent to whoever it leads to, and kept on disk.
	if (url === undefined || url.username !== '' || url.password !== '')
		throw new Refusal('malformed', 'expected an http or https address');
	url.hash = '';
	// What a repository's page shows under blob or tree lies under resolve.
	const path = url.pathname.replace(/^(\/[^/]+\/[^/]+)\/(?:blob|tree|raw)\//, '$1/resolve/');
	if (/\.onnx$/i.test(path)) {
		const weights = `${url.origin}${path}${url.search}`;
		const parent = new URL('./', `${url.origin}${path}`).href;
		const inFolder = /\/onnx\/$/.test(parent);
		const above = new URL('../', parent).href;
		const folders = inFolder ? [above, parent] : [parent];
		return { host: url.host, name: nameIn(path), folders, weights };
	}
	const folder = path
		.replace(/\/[^/]+\.json$/, '/')
		.replace(/\/*$/, '/')
		.replace(/\/onnx\/$/, '/');
	const base = `${url.origin}${folder}`;
	return { host: url.host, name: nameIn(folder), folders: [base, `${base}resolve/main/`], weights: undefined };
}

function parsed(address: string): URL | undefined {
	try {
		const url = new URL(address);
		return url.protocol === 'https:' || url.protocol === 'http:' ? url : undefined;
	} catch {
		return undefined;
	}
}

/** The last step of a path that names the model and not a part of the layout. */
function nameIn(path: string): string {
	const steps = path.split('/').filter((step) => step !== '');
	const last = steps.findLast((step) => !NAMELESS.has(step) && !/\.(onnx|json)$/i.test(step)) ?? steps.at(-1) ?? '';
	return cleanName(decoded(last).replace(/\.onnx$/i, ''));
}

function decoded(step: string): string {
	try {
		return decodeURIComponent(step);
	} catch {
		return step;
	}
}
