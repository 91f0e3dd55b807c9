import { codes, type FindingCode } from "@lowtide/domain/config/codes"

/** One line for stderr, with what to do. */
export const formatFault = ({ code, message }: { readonly code: FindingCode; readonly message: string }): string =>
  `${code} ${message}. Fix: ${codes[code].fix}`
