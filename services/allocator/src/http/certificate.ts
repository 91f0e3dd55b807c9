import { createPrivateKey, X509Certificate } from "node:crypto"
import { readFileSync } from "node:fs"
import { createSecureContext } from "node:tls"
import { codes } from "@lowtide/domain"
import { followFiles } from "@lowtide/ops"
import { Effect, Metric, Result } from "effect"

/** By what the API shows that it is the one it says: two files, PEM; the certificate with those that lead to its authority. */
export interface CertificateFiles {
  readonly certificateFile: string
  readonly keyFile: string
}

/** A certificate with its key, which belong together. */
export interface ServerCertificate {
  readonly cert: string
  readonly key: string
  /** Unix time, seconds. */
  readonly notAfterSeconds: number
}

/** Judges the texts of both files. The failure is a sentence. */
const judge = ([cert = "", key = ""]: ReadonlyArray<string>): Result.Result<ServerCertificate, string> => {
  try {
    createSecureContext({ cert, key }) // throws when one is none
    const certificate = new X509Certificate(cert)
    // OpenSSL itself takes a key of another kind than the certificate's.
    if (!certificate.checkPrivateKey(createPrivateKey(key))) {
      return Result.fail("expected the private key of the certificate, found another one's")
    }
    const notAfterSeconds = Math.floor(certificate.validToDate.getTime() / 1000)
    return Result.succeed({ cert, key, notAfterSeconds })
  } catch (cause) {
    return Result.fail(`expected a certificate and its private key as PEM: ${messageOf(cause)}`)
  }
}

/** Reads both files. The failure is a sentence. */
export const readCertificate = ({
  certificateFile,
  keyFile
}: CertificateFiles): Result.Result<ServerCertificate, string> => {
  try {
    return judge([certificateFile, keyFile].map((file) => readFileSync(file, "utf8")))
  } catch (cause) {
    return Result.fail(`expected a readable file: ${messageOf(cause)}`)
  }
}

const stale = Metric.gauge("lowtide_certificate_stale", {
  description: "1 while the certificate's files are not what they should be, and the one before stays in use"
})

const notAfter = Metric.gauge("lowtide_certificate_not_after_seconds", {
  description: "When the certificate of the API ends, Unix time"
})

/** Hands over what the files say whenever it is another certificate, for ever; a bad one is told (LT0611) and not taken. */
export const followCertificate = (
  { certificateFile, keyFile }: CertificateFiles,
  begin: ServerCertificate,
  take: (certificate: ServerCertificate) => void
): Effect.Effect<never> => {
  const refused = (fault: string) =>
    Effect.andThen(
      Metric.update(stale, 1),
      Effect.logError(`LT0611 ${certificateFile}: ${fault}. Fix: ${codes.LT0611.fix}`)
    )
  const taken = (certificate: ServerCertificate) =>
    Effect.gen(function* () {
      take(certificate)
      yield* Metric.update(stale, 0)
      yield* Metric.update(notAfter, certificate.notAfterSeconds)
    })
  return Effect.andThen(
    taken(begin),
    followFiles(
      [certificateFile, keyFile],
      [begin.cert, begin.key],
      (texts) => Result.match(judge(texts), { onFailure: refused, onSuccess: taken }),
      refused
    )
  )
}

const messageOf = (cause: unknown): string =>
  (cause instanceof Error ? cause.message : String(cause)).replaceAll(/\s+/g, " ")
