import { existsSync, rmSync, statSync } from "node:fs"
import { generateKey, open, readKeyRing, readSigningKey, seal } from "@lowtide/bus/envelope"
import { formatPrefix, type Prefix, parsePrefix, prefixCovers } from "@lowtide/net"
import { Result } from "effect"
import { CliFault, exitCodes } from "../fault.ts"
import { namesIn, pathsIn, readIfThere, replaceFile, writeSecret } from "./files.ts"
import { clustersOf } from "./nats-access.ts"

/** Makes a key pair; `install` signs what clusters may announce, any other name signs intents. */
export const makeKey = (folder: string, id: string): { readonly privateFile: string; readonly publicFile: string } => {
  const paths = pathsIn(folder)
  const files =
    id === installKeyId
      ? { privateFile: paths.installKey, publicFile: paths.installPublicKey }
      : { privateFile: paths.intentKey(id), publicFile: paths.intentPublicKey(id) }
  for (const file of [files.privateFile, files.publicFile, paths.formerKey(id)]) {
    if (existsSync(file)) {
      throw new CliFault({
        exitCode: exitCodes.conflict,
        what: `key ${id}: ${file} is there already, and a key is never written over`,
        next: "choose another name"
      })
    }
  }
  const { privatePem, publicPem } = generateKey()
  writeSecret(files.privateFile, privatePem)
  replaceFile(files.publicFile, publicPem)
  return files
}

/** The name of the key that the installation signs with itself. */
export const installKeyId = "install"

/** Which keys that sign intents the folder's clusters believe. */
export const intentKeyIds = (folder: string): ReadonlyArray<string> => namesIn(pathsIn(folder).intentKeys, ".pub.pem")

/** A key of an installation, and who believes it. */
export interface KeyStanding {
  readonly id: string
  readonly signs: "intents" | "allowed prefixes"
  /** When its public half was written here, RFC 3339. */
  readonly since: string
  /** Whether its private half is in the folder. */
  readonly isPrivateHere: boolean
  /** Clusters whose trust file has it; a file that was changed by hand tells what it has. */
  readonly trustedBy: ReadonlyArray<string>
}

/** The keys of a folder, those that a trust file of it believes though they are not there, and others by their ids. */
export const listKeys = (folder: string, others: ReadonlyArray<string> = []): ReadonlyArray<KeyStanding> => {
  if (!existsSync(folder)) throw new Error(`--out ${folder}: expected the folder of an installation, found nothing`)
  const paths = pathsIn(folder)
  const trusts = clustersOf(folder).map((cluster) => {
    const text = readIfThere(paths.trust(cluster))
    const { intentKeys = {}, installKey } = (text === undefined ? {} : JSON.parse(text)) as {
      readonly intentKeys?: Readonly<Record<string, string>>
      readonly installKey?: string
    }
    return { cluster, intentKeys, installKey }
  })
  const standing = (id: string, publicFile: string, privateFile: string, signs: KeyStanding["signs"]): KeyStanding => {
    const pem = readIfThere(publicFile)
    return {
      id,
      signs,
      since: pem === undefined ? "" : statSync(publicFile).mtime.toISOString(),
      isPrivateHere: existsSync(privateFile),
      trustedBy: trusts
        .filter(({ intentKeys, installKey }) => {
          const believed = signs === "intents" ? intentKeys[id] : installKey
          return believed !== undefined && (pem === undefined || believed === pem)
        })
        .map(({ cluster }) => cluster)
    }
  }
  const believed = trusts.flatMap(({ intentKeys }) => Object.keys(intentKeys))
  const ids = new Set([...intentKeyIds(folder), ...believed, ...others])
  return [
    ...(existsSync(paths.installPublicKey)
      ? [standing(installKeyId, paths.installPublicKey, paths.installKey, "allowed prefixes")]
      : []),
    ...[...ids].sort().map((id) => standing(id, paths.intentPublicKey(id), paths.intentKey(id), "intents"))
  ]
}

/**
 * Stops believing a key: its public half goes from every cluster's trust file. The allocator's keeps it, as what was signed by
 * it shows still what the centre said, unless somebody else may have it: one that is retired already can be taken from there too.
 */
export const retireKey = (folder: string, id: string, isStolen: boolean): ReadonlyArray<string> => {
  const paths = pathsIn(folder)
  const ids = intentKeyIds(folder)
  if (!ids.includes(id) && isStolen && existsSync(paths.formerKey(id))) {
    rmSync(paths.formerKey(id))
    return [writeAllocatorTrust(folder)]
  }
  if (!ids.includes(id)) {
    throw new CliFault({
      exitCode: exitCodes.notFound,
      what: `key ${id}: expected one of [${ids.join(", ")}]`,
      next: "see `lowtide key list`"
    })
  }
  if (ids.length === 1) {
    throw new CliFault({
      exitCode: exitCodes.conflict,
      what: `key ${id}: it is the only one that signs intents, and nothing would be believed without it`,
      next: "make another one first, see docs/guides/rotate-signing-keys.md"
    })
  }
  if (!isStolen) replaceFile(paths.formerKey(id), readIfThere(paths.intentPublicKey(id)) ?? "")
  rmSync(paths.intentPublicKey(id))
  return writeTrustFiles(folder)
}

/** Writes the trust file of every cluster that has users, as the folder's public keys are now, and the allocator's. Answers the files. */
export const writeTrustFiles = (folder: string): ReadonlyArray<string> => [
  ...clustersOf(folder).map((cluster) => writeTrustFile(folder, cluster)),
  writeAllocatorTrust(folder)
]

const writeAllocatorTrust = (folder: string): string => {
  const { allocatorTrust, formerKey, formerKeys, intentPublicKey } = pathsIn(folder)
  const retired = namesIn(formerKeys, ".pub.pem")
  const keys = [
    ...retired.map((id) => [id, formerKey(id)] as const),
    ...intentKeyIds(folder).map((id) => [id, intentPublicKey(id)] as const)
  ]
  const intentKeys = Object.fromEntries(keys.map(([id, file]) => [id, readIfThere(file) ?? ""]))
  readKeyRing(intentKeys) // throws when one is none
  replaceFile(
    allocatorTrust,
    `${JSON.stringify({ intentKeys, ...(retired.length === 0 ? {} : { retired }) }, null, 2)}\n`
  )
  return allocatorTrust
}

/** Writes one cluster's trust file. */
export const writeTrustFile = (folder: string, cluster: string): string => {
  const paths = pathsIn(folder)
  const installKey = readIfThere(paths.installPublicKey)
  const ids = intentKeyIds(folder)
  if (installKey === undefined || ids.length === 0) {
    throw new CliFault({
      exitCode: exitCodes.usage,
      what: `${folder}: expected the public keys of the installation and of intents, found ${ids.length} for intents and ${installKey === undefined ? "none" : "one"} of the installation`,
      next: `make them: \`lowtide key new ${installKeyId} --out ${folder}\`, \`lowtide key new 2026-1 --out ${folder}\``
    })
  }
  const intentKeys = Object.fromEntries(ids.map((id) => [id, readIfThere(paths.intentPublicKey(id)) ?? ""]))
  readKeyRing({ ...intentKeys, [installKeyId]: installKey }) // throws when one is none
  replaceFile(paths.trust(cluster), `${JSON.stringify({ cluster, intentKeys, installKey }, null, 2)}\n`)
  return paths.trust(cluster)
}

/** What a newly signed list takes away and adds. */
export interface AllowedChange {
  readonly file: string
  readonly prefixes: ReadonlyArray<string>
  /** Prefixes of the former list that are not wholly allowed any more. */
  readonly narrowed: ReadonlyArray<string>
  /** The clusters that have credentials in the folder, where this one has none: its name may be mistyped. Else empty. */
  readonly onlyKnown: ReadonlyArray<string>
}

/** Signs what a cluster may announce. */
export const allowPrefixes = (wanted: {
  readonly folder: string
  readonly cluster: string
  readonly prefixes: ReadonlyArray<string>
  readonly installKeyFile: string | undefined
}): AllowedChange => {
  const { folder, cluster } = wanted
  const paths = pathsIn(folder)
  const faults: Array<string> = []
  const prefixes = wanted.prefixes.flatMap((text): ReadonlyArray<Prefix> => {
    const parsed = parsePrefix(text)
    if (Result.isSuccess(parsed)) return [parsed.success]
    faults.push(parsed.failure)
    return []
  })
  if (faults.length > 0) {
    throw new CliFault({
      exitCode: exitCodes.usage,
      what: `prefix: ${faults.join("; ")}`,
      next: "for example 192.0.2.0/24"
    })
  }
  const keyFile = wanted.installKeyFile ?? paths.installKey
  const pem = readIfThere(keyFile)
  const publicPem = readIfThere(paths.installPublicKey)
  if (pem === undefined || publicPem === undefined) {
    throw new CliFault({
      exitCode: exitCodes.usage,
      what: `install key: expected it in ${pem === undefined ? keyFile : paths.installPublicKey}, found no file`,
      next: "name the private key with --install-key, or make one: `lowtide key new install`"
    })
  }
  const texts = prefixes.map(formatPrefix)
  const envelope = seal(readSigningKey(installKeyId, pem), JSON.stringify({ cluster, prefixes: texts }))
  if (Result.isFailure(open(readKeyRing({ [installKeyId]: publicPem }), envelope))) {
    throw new CliFault({
      exitCode: exitCodes.conflict,
      what: `install key: ${keyFile} does not belong to ${paths.installPublicKey}, which the clusters believe`,
      next: "name the right one with --install-key"
    })
  }
  const file = paths.allowedPrefixes(cluster)
  const narrowed = formerPrefixes(readIfThere(file)).filter(
    (old) => !prefixes.some((prefix) => prefixCovers(prefix, old))
  )
  replaceFile(file, `${envelope}\n`)
  const known = namesIn(paths.clusters).filter((name) => existsSync(paths.trust(name)))
  const onlyKnown = known.includes(cluster) ? [] : known // none where the install key is kept apart from everything
  return { file, prefixes: texts, narrowed: narrowed.map(formatPrefix), onlyKnown }
}

/** What a list allowed that is about to be replaced; it was signed by us, or is none. */
const formerPrefixes = (text: string | undefined): ReadonlyArray<Prefix> => {
  if (text === undefined) return []
  try {
    const payload = JSON.parse((JSON.parse(text) as { readonly payload: string }).payload) as {
      readonly prefixes: ReadonlyArray<string>
    }
    return payload.prefixes.flatMap((prefix) => {
      const parsed = parsePrefix(prefix)
      return Result.isSuccess(parsed) ? [parsed.success] : []
    })
  } catch {
    return []
  }
}
