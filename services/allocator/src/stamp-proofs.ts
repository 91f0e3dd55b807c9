import { createPublicKey } from "node:crypto"
import { type Envelope, type KeyRing, open, type SigningKey } from "@lowtide/bus/envelope"
import type { NodeStatus } from "@lowtide/bus/status"
import { codes, compareStamps, type Fleet, Stamp } from "@lowtide/domain"
import { type Head, Ledger, type Unavailable } from "@lowtide/ledger"
import { Clock, Effect, Option, Result, Schema } from "effect"
import { isBeyond, isLossShown, isUnknown, type Witness } from "./loss.ts"

/** A node that said that it is where the log does not go, and did not show it. */
export interface UnprovenStamp {
  readonly cluster: string
  readonly node: string
  readonly stamp: Stamp
  readonly why: string
  /** The allocator's clock, milliseconds since 1970. */
  readonly saidAtMs: number
}

/** How long it is shown of a node while the log does not come to have it, milliseconds. */
const shownMs = 3_600_000

/** How often it is looked whether the log has it by now, milliseconds. */
const lookAgainMs = 5_000

/** Nodes that are remembered, and reasons that are remembered as logged. */
const rememberedMax = 1_000

/**
 * Judges what nodes say of where they are. A status is a node's own word, and whoever has the seed of a cluster's speakers can
 * give one; it proves a loss of history only with a message that the centre itself signed, by its own key or one that it had.
 */
export class StampProofs {
  readonly #keys: KeyRing
  readonly #unproven = new Map<string, UnprovenStamp>()
  readonly #told = new Set<string>()

  /** `others`: public halves of the keys by which the centre has signed as well. */
  constructor({ keyId, privateKey }: SigningKey, others: KeyRing = new Map()) {
    this.#keys = new Map([...others, [keyId, createPublicKey(privateKey)]])
  }

  /** Whose signatures are believed. */
  get keyIds(): ReadonlyArray<string> {
    return [...this.#keys.keys()]
  }

  /**
   * Where a status says that its node is, and what shows it. Until the fleet's version has it that every speaker sends proofs,
   * a node's word is enough; so it is to a log without an event, which has nothing to lose by it.
   */
  witnesses(fleet: Pick<Fleet, "allows">, status: NodeStatus): ReadonlyArray<Witness> {
    const { cluster, node, stamp, proof } = status
    const who = `node ${cluster}/${node}`
    if (!fleet.allows("provenStamps")) return stamp === undefined ? [] : [{ who, stamp }]
    const shown = proof === undefined ? undefined : Option.getOrUndefined(decodeSigned(proof.payload))
    const witnesses: Array<Witness> = []
    if (proof !== undefined && shown !== undefined) {
      const isProven = Effect.suspend(() => this.#judge(status, shown.stamp, this.#faultOf(cluster, proof, shown)))
      witnesses.push({ who, stamp: shown.stamp, isProven })
    }
    if (stamp !== undefined && (shown === undefined || compareStamps(shown.stamp, stamp) < 0)) {
      const why =
        shown === undefined
          ? "it sends no head or message that the centre signed"
          : `its proof is of ${at(shown.stamp)}`
      witnesses.push({ who, stamp, isProven: Effect.suspend(() => this.#judge(status, stamp, why)) })
    }
    return witnesses
  }

  /** Nodes of which it is to be shown, the last word of each. */
  recent(nowMs: number): ReadonlyArray<UnprovenStamp> {
    return [...this.#unproven.values()].filter(({ saidAtMs }) => nowMs - saidAtMs < shownMs)
  }

  /** What the log has by now is shown no longer: whoever said it was believed too late, or lied about what came to be so. */
  readonly forgetKnown: Effect.Effect<void, Unavailable, Ledger> = Effect.gen({ self: this }, function* () {
    if (this.#unproven.size === 0) return
    const head = yield* (yield* Ledger).head
    for (const [name, said] of [...this.#unproven]) {
      const isKnown = !(yield* isUnknown(head, said.stamp))
      if (isKnown && this.#unproven.get(name) === said) this.#unproven.delete(name)
    }
  })

  #faultOf(cluster: string, proof: Envelope, shown: Signed): string | undefined {
    if (shown.cluster !== cluster) return `its proof is of cluster ${JSON.stringify(shown.cluster)}`
    const opened = open(this.#keys, JSON.stringify(proof))
    return Result.isSuccess(opened) ? undefined : `its proof: ${opened.failure.message}`
  }

  /** Whether it is proven; remembers where it is not, and says so once of each node and reason. */
  #judge({ cluster, node }: NodeStatus, stamp: Stamp, why: string | undefined): Effect.Effect<boolean> {
    if (why === undefined) return Effect.succeed(true)
    return Effect.gen({ self: this }, function* () {
      const name = `${cluster}/${node}`
      this.#unproven.delete(name)
      this.#unproven.set(name, { cluster, node, stamp, why, saidAtMs: yield* Clock.currentTimeMillis })
      const [oldest] = this.#unproven.keys()
      if (this.#unproven.size > rememberedMax && oldest !== undefined) this.#unproven.delete(oldest)
      const key = `${name} ${why}`
      if (this.#told.has(key)) return false
      if (this.#told.size >= rememberedMax) this.#told.clear()
      this.#told.add(key)
      const { title, fix } = codes.LT0511
      yield* Effect.logError(
        `LT0511 ${title}: node ${name} says that it is at ${at(stamp)}, which the log does not have: ${why}; nothing is changed by it, and more of it is not logged. Fix: ${fix}`
      )
      return false
    })
  }
}

/** Looks for ever whether the log has what nodes did not prove. */
export const keepForgetting = (proofs: StampProofs): Effect.Effect<never, never, Ledger> =>
  proofs.forgetKnown.pipe(
    Effect.ignore, // a database that is away is told by others
    Effect.andThen(Effect.sleep(lookAgainMs)),
    Effect.forever
  )

/**
 * An allocator that does not lead can begin nothing; it can tell who asks it. What it has yet to read is in the log all the
 * same, and no node has to prove it.
 */
export const judgeAsFollower = (
  followed: { readonly fleet: Pick<Fleet, "allows">; readonly head: Head },
  proofs: StampProofs,
  status: NodeStatus
): Effect.Effect<void, Unavailable, Ledger> =>
  Effect.gen(function* () {
    const witnesses = proofs.witnesses(followed.fleet, status)
    if (!witnesses.some(({ stamp }) => isBeyond(followed.head, stamp))) return
    yield* isLossShown(yield* (yield* Ledger).head, witnesses)
  })

/** Says of messages in effect that a node could not prove where it is by them. */
export const sayUnknownSigners = (proofs: StampProofs): Effect.Effect<void, never, Ledger> =>
  Effect.gen(function* () {
    const signers = yield* (yield* Ledger).signedBy
    const unknown = [...signers.keys()].filter((id) => !proofs.keyIds.includes(id)).sort()
    if (unknown.length === 0) return
    yield* Effect.logWarning(
      `messages in effect are signed by [${unknown.join(", ")}], which this allocator does not know: after a loss of history no node could prove by them where it is, and nodes that do not know them either refuse what they signed (LT0401). Fix: name these keys by LOWTIDE_TRUST_FILE; where one was stolen, have everything said anew with \`lowtide recover --reason WHY\``
    )
  }).pipe(Effect.ignore) // a database that is away is told by others

/**
 * What a head or message says of itself. A roll call is signed as well and proves nothing: its stamp has the epoch of who
 * leads beside the newest seq, which is an earlier leader's until the new one commits, and no event has both.
 */
const Signed = Schema.Struct({
  _tag: Schema.Literals(["ClusterHead", "VipIntent", "NodeIntent", "ServiceAnswer", "ObjectFindings"]),
  cluster: Schema.String,
  stamp: Stamp
})
type Signed = typeof Signed.Type
const decodeSigned = Schema.decodeUnknownOption(Schema.fromJsonString(Signed))

const at = ({ incarnation, epoch, seq }: Stamp): string => `${incarnation}/${epoch}/${seq}`
