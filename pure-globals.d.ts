/**
 * What pure code may use beside the language itself: the Encoding standard's text codecs, which depend on nothing but
 * their arguments. Read by `tsconfig.pure.json` only; everything else has Node's own declarations.
 */
export {}

declare global {
  class TextEncoder {
    encode(text?: string): Uint8Array<ArrayBuffer>
    encodeInto(text: string, target: Uint8Array): { readonly read: number; readonly written: number }
  }

  class TextDecoder {
    constructor(label?: string, options?: { readonly fatal?: boolean; readonly ignoreBOM?: boolean })
    decode(bytes?: Uint8Array): string
  }
}
