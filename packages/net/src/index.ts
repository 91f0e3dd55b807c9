/**
 * Addresses, prefixes, ranges, AS numbers and communities: the values every other package speaks in.
 *
 * Everything here is pure. Parsing answers a `Result` whose failure is a sentence that names what was expected and
 * what was found; formatting gives the one canonical text, so two values are equal exactly when their texts are.
 *
 * Standards: RFC 4291 and RFC 5952 (IPv6 text), RFC 4632 (CIDR), RFC 5396 (AS numbers), RFC 1997 and RFC 8092 (communities).
 */
export * from "./address.ts"
export * from "./asn.ts"
export * from "./community.ts"
export * from "./prefix.ts"
export * from "./range.ts"
