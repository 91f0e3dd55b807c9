import { addressToken } from "@lowtide/net"
import { toAddress } from "../config/canonical.ts"
import type { NumberedMessage } from "./intent.ts"

/**
 * The last tokens of a message's subject, below its cluster. Names may hold dots, which separate tokens: see `token`.
 */
export const messageKey = (message: MessageIdentity): string => {
  switch (message._tag) {
    case "VipIntent":
      return vipKey(message.address)
    case "NodeIntent":
      return `node.${token(message.node)}`
    case "ServiceAnswer":
      return `svc.${token(message.uid)}`
    case "ObjectFindings":
      return `obj.${token(message.object.kind)}.${token(message.object.namespace || "-")}.${token(message.object.name)}`
  }
}

/** The parts of a message that name its subject. */
export type MessageIdentity =
  | Pick<Extract<NumberedMessage, { readonly _tag: "VipIntent" }>, "_tag" | "address">
  | Pick<Extract<NumberedMessage, { readonly _tag: "NodeIntent" }>, "_tag" | "node">
  | Pick<Extract<NumberedMessage, { readonly _tag: "ServiceAnswer" }>, "_tag" | "uid">
  | Pick<Extract<NumberedMessage, { readonly _tag: "ObjectFindings" }>, "_tag" | "object">

/** `adv.4-192-0-2-1`: the key of a VIP. A cluster has one network, so the address alone names it. */
export const vipKey = (address: string): string => `adv.${addressToken(toAddress(address))}`

/**
 * One token of a subject for any name, and no other name's: a dot becomes `_`, and what NATS gives a meaning, or this
 * writing does, becomes hexadecimal (a file's name may hold any of it). Never empty, as a token may not be.
 */
export const token = (name: string): string =>
  name === ""
    ? "~"
    : name
        .replace(/[^A-Za-z0-9.-]/gu, (character) => `~${character.codePointAt(0)?.toString(16)}~`)
        .replaceAll(".", "_")

/** The name that a token stands for. */
export const tokenName = (text: string): string =>
  text === "~"
    ? ""
    : text
        .replaceAll("_", ".")
        .replace(/~([0-9a-f]{1,6})~/g, (found, hex: string) =>
          Number.parseInt(hex, 16) > 0x10ffff ? found : String.fromCodePoint(Number.parseInt(hex, 16))
        )
