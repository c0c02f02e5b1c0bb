/**
 * What a screen reader gets of a page, from Chromium's own accessibility tree: what stands there in reading order, where the focus is, and
 * what live regions say meanwhile. No screen reader runs, so voices, verbosity and braille are none of its business.
 */
import type { CDPSession, Page } from 'playwright/test';

/** Of CDP's `Accessibility.AXNode`, what is read here. */
interface Node {
	readonly nodeId: string;
	readonly ignored: boolean;
	readonly role?: { readonly value?: string };
	readonly name?: { readonly value?: string };
	readonly description?: { readonly value?: string };
	readonly value?: { readonly value?: string | number };
	readonly properties?: readonly { readonly name: string; readonly value: { readonly value?: unknown } }[];
	readonly childIds?: readonly string[];
	readonly backendDOMNodeId?: number;
}

/** Spoken words for roles; one that is missing is said as Chromium names it. */
const SPOKEN: Readonly<Record<string, string>> = {
	textbox: 'edit',
	radio: 'radio button',
	img: 'graphic',
	image: 'graphic',
	combobox: 'combo box',
	DisclosureTriangle: 'disclosure triangle',
	RootWebArea: 'page',
	contentinfo: 'footer'
};
/** Said with its name, and not entered: its contents are its name. */
const LEAVES = [
	'button',
	'link',
	'radio',
	'checkbox',
	'textbox',
	'combobox',
	'img',
	'image',
	'heading',
	'progressbar',
	'DisclosureTriangle'
];
/** Said when entered, if named; lists always. */
const PLACES = [
	'dialog',
	'article',
	'log',
	'region',
	'navigation',
	'main',
	'radiogroup',
	'group',
	'form',
	'search',
	'list',
	'table',
	'banner',
	'figure',
	'status'
];

export class Heard {
	readonly #page: Page;
	readonly #session: CDPSession;

	private constructor(page: Page, session: CDPSession) {
		this.#page = page;
		this.#session = session;
	}

	/** Begins to listen; to be called before the page is opened. */
	static async of(page: Page): Promise<Heard> {
		const session = await page.context().newCDPSession(page);
		await session.send('Accessibility.enable');
		await page.addInitScript(listen);
		return new Heard(page, session);
	}

	/** What live regions have said since the last call, in order. */
	async announcements(): Promise<readonly string[]> {
		return this.#page.evaluate(() => (globalThis as unknown as { saidAloud: string[] }).saidAloud.splice(0));
	}

	/** The element that has the focus, as it is announced. */
	async focused(): Promise<string> {
		const { nodes } = await this.#tree();
		const found = nodes.findLast((node) => property(node, 'focused') === true && node.role?.value !== 'RootWebArea');
		return found === undefined ? 'nothing' : spoken(found);
	}

	/** Everything inside the first element that matches `selector`, in reading order, one line each. */
	async read(selector: string): Promise<readonly string[]> {
		const { nodes, byId } = await this.#tree();
		const { result } = await this.#session.send('Runtime.evaluate', {
			expression: `document.querySelector(${JSON.stringify(selector)})`
		});
		if (result.objectId === undefined) throw new Error(`nothing matches ${selector}`);
		const { node } = await this.#session.send('DOM.describeNode', { objectId: result.objectId });
		const root = nodes.find(({ backendDOMNodeId }) => backendDOMNodeId === node.backendNodeId);
		if (root === undefined) throw new Error(`${selector} is not in the accessibility tree`);
		return lines(root, byId);
	}

	async #tree() {
		const nodes = (await this.#session.send('Accessibility.getFullAXTree')).nodes as readonly Node[];
		return { nodes, byId: new Map(nodes.map((node) => [node.nodeId, node])) };
	}
}

function lines(root: Node, byId: ReadonlyMap<string, Node>): readonly string[] {
	const out: string[] = [];
	let text = '';
	const flush = () => {
		const words = text.replaceAll(/\s+/g, ' ').trim();
		text = '';
		if (words !== '') out.push(words);
	};
	const visit = (node: Node): void => {
		const role = node.role?.value ?? '';
		const children = () => (node.childIds ?? []).flatMap((id) => byId.get(id) ?? []).forEach(visit);
		if (node.ignored) return children();
		if (role === 'StaticText') return void (text += ` ${node.name?.value ?? ''}`);
		if (LEAVES.includes(role)) {
			flush();
			out.push(spoken(node));
			return;
		}
		const block = !['generic', 'strong', 'emphasis', 'code', 'time', 'none', 'Abbr'].includes(role);
		if (block) flush();
		if (role === 'list') out.push(`list, ${(node.childIds ?? []).length} items`);
		else if (PLACES.includes(role) && (node.name?.value ?? '') !== '') out.push(spoken(node));
		children();
		if (block) flush();
	};
	visit(root);
	flush();
	return out;
}

function property(node: Node, name: string): unknown {
	return node.properties?.find((one) => one.name === name)?.value.value;
}

/** Name, role, states, value and description, in the order in which NVDA says them. */
function spoken(node: Node): string {
	const role = node.role?.value ?? '';
	const level = property(node, 'level');
	const states = [
		property(node, 'checked') === undefined ? '' : property(node, 'checked') === 'true' ? 'checked' : 'not checked',
		property(node, 'disabled') === true ? 'unavailable' : '',
		property(node, 'expanded') === undefined ? '' : property(node, 'expanded') === true ? 'expanded' : 'collapsed',
		property(node, 'required') === true ? 'required' : '',
		property(node, 'hasPopup') === 'dialog' ? 'opens a dialog' : ''
	];
	const said = role === 'heading' ? `heading level ${String(level)}` : (SPOKEN[role] ?? role);
	const name = node.name?.value ?? '';
	return [
		name === '' ? '(no name)' : name,
		said,
		...states,
		String(node.value?.value ?? ''),
		node.description?.value ?? ''
	]
		.filter((part) => part !== '')
		.join(', ');
}

/** Runs in the page: keeps what live regions say, as ARIA has it: additions and changed text, the whole of an atomic one, nothing hidden. */
function listen(): void {
	const said: string[] = [];
	Object.assign(globalThis, { saidAloud: said });
	const LIVE = '[aria-live], [role=status], [role=alert], [role=log], output';
	const politeness = (region: Element) =>
		region.getAttribute('aria-live') ?? (region.getAttribute('role') === 'alert' ? 'assertive' : 'polite');
	const hidden = (element: Element) => element.closest('[aria-hidden=true], [inert], [hidden]') !== null;
	/** As text is read out: not what is hidden from it. */
	const words = (node: Node_): string => {
		if (node.nodeType === 3) return node.textContent ?? '';
		if (!(node instanceof Element) || node.getAttribute('aria-hidden') === 'true') return '';
		// What contains others is read by its contents; only what is read as one piece has a name instead of them.
		const named = node.matches('button, a, input, svg, img, [role=img]') ? node.getAttribute('aria-label') : undefined;
		return named ?? [...node.childNodes].map(words).join(' ');
	};
	type Node_ = globalThis.Node;
	new MutationObserver((changes) => {
		const atomic = new Set<Element>();
		for (const { target, addedNodes, type } of changes) {
			const element = target instanceof Element ? target : target.parentElement;
			const region = element?.closest(LIVE);
			// A region that comes with its words in it is mostly not heard; an alert is.
			const come = [...addedNodes].flatMap((node) =>
				node instanceof Element
					? [...(node.matches('[role=alert]') ? [node] : []), ...node.querySelectorAll('[role=alert]')]
					: []
			);
			for (const one of come) if (!hidden(one)) atomic.add(one);
			if (!region || politeness(region) === 'off' || hidden(region)) continue;
			if (region.getAttribute('role') === 'status' || region.getAttribute('aria-atomic') === 'true') atomic.add(region);
			else
				for (const node of type === 'characterData' ? [target] : addedNodes) {
					const text = words(node).replaceAll(/\s+/g, ' ').trim();
					if (text !== '') said.push(text);
				}
		}
		for (const region of atomic) {
			const text = words(region).replaceAll(/\s+/g, ' ').trim();
			if (text !== '' && said.at(-1) !== text) said.push(text);
		}
	}).observe(document, { subtree: true, childList: true, characterData: true });
}
