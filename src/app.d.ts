/// <reference types="vite/client" />
/// <reference types="@sveltejs/kit" />

// A model or another large file named in an import stays a file of its own; the import gives its address.
declare module '*.onnx?url' {
	const address: string;
	export default address;
}
