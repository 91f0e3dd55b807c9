import { mkdirSync } from "node:fs"
import { isIP } from "node:net"
import { join } from "node:path"
import { Effect } from "effect"
import { execute } from "./lab/execute.ts"

/**
 * Makes a certificate for names and addresses, good for a month, and its key. It signs itself, so it is the authority to
 * believe as well. Needs openssl.
 */
export const makeCertificate = Effect.fn("makeCertificate")(function* (folder: string, hosts: ReadonlyArray<string>) {
  yield* Effect.sync(() => mkdirSync(folder, { recursive: true }))
  const certificateFile = join(folder, "server.pem")
  const keyFile = join(folder, "server-key.pem")
  const names = hosts.map((host) => `${isIP(host) === 0 ? "DNS" : "IP"}:${host}`)
  yield* execute([
    "openssl",
    ...["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "30"],
    ...[
      "-subj",
      "/CN=nats",
      "-addext",
      `subjectAltName=${names.join(",")}`,
      "-keyout",
      keyFile,
      "-out",
      certificateFile
    ]
  ])
  return { certificateFile, keyFile }
})
