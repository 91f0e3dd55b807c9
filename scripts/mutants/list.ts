/** One deliberate breakage: a text of the product that stands once in its file, what takes its place, and what has to notice. */
export interface Mutant {
  readonly name: string
  /** What is broken by it, as a sentence of people. */
  readonly breaks: string
  readonly file: string
  readonly from: string
  readonly to: string
  readonly check: ReadonlyArray<string>
}

const histories = ["node", "scripts/sim.ts", "--seed", "1", "--count", "600", "--steps", "200"]
const tests = (project: string, file: string): ReadonlyArray<string> => [
  "node_modules/.bin/vitest",
  "run",
  "--project",
  project,
  file
]

export const mutants: ReadonlyArray<Mutant> = [
  {
    name: "no-confirmation",
    breaks: "an address rests without waiting for the nodes to confirm",
    file: "packages/domain/src/fleet/decide.ts",
    from: "if (awaitedNodes(draft.context, vip).length === 0) quarantine(",
    to: "if (clusterName !== undefined) quarantine(",
    check: histories
  },
  {
    name: "any-confirmation",
    breaks: "a confirmation from before the withdrawal counts",
    file: "services/allocator/src/memory.ts",
    from: "?? -1) >= entry.cseq",
    to: "?? -1) >= 0",
    check: histories
  },
  {
    name: "no-hold-time",
    breaks: "a session that is down counts as forgotten by its router at once",
    file: "services/speaker/src/confirm.ts",
    from: ": nowMs - downSinceMs >= holdTimeMs",
    to: ": nowMs - downSinceMs >= 0 * holdTimeMs",
    check: histories
  },
  {
    name: "unwritten-withdrawal",
    breaks: "a withdrawal counts as told before it was written",
    file: "services/speaker/src/confirm.ts",
    from: "isUp ? acknowledgedTurn >= turn :",
    to: "isUp ? acknowledgedTurn >= turn - 1_000_000 :",
    check: histories
  },
  {
    name: "confirm-what-is-under-way",
    breaks: "a withdrawal counts as carried out once the kernel has it, though the link may be cut then",
    file: "services/speaker/src/peers.ts",
    from: 'case "RoutesAcknowledged":',
    to: 'case "RoutesWritten":',
    check: histories
  },
  {
    name: "confirm-beyond-a-gap",
    breaks: "a node confirms withdrawals that it may not have heard of",
    file: "services/speaker/src/confirm.ts",
    from: "confirmedCseq: Math.max(0, Math.min(facts.completeCseq, unconfirmed - 1)),",
    to: "confirmedCseq: Math.max(0, Math.min(facts.completeCseq + 2, unconfirmed - 1)),",
    check: histories
  },
  {
    name: "confirm-by-former-numbers",
    breaks: "what a node held by the numbers of one incarnation confirms withdrawals of the next",
    file: "services/speaker/src/sync.ts",
    from: "({ ...sync, completeCseq: 0 })",
    to: "({ ...sync })",
    check: ["node", "scripts/sim.ts", "--seed", "771276", "--count", "1", "--steps", "300", "--losses"]
  },
  {
    name: "forgotten-sessions",
    breaks: "a speaker that was killed forgets who may believe what it said",
    file: "services/speaker/src/saved-state.ts",
    from: "sessions.set(record.session, record.holdTimeSeconds ?? Number.POSITIVE_INFINITY)",
    to: "sessions.delete(record.session)",
    check: histories
  },
  {
    name: "older-wins",
    breaks: "an older intent takes the place of a newer one",
    file: "services/speaker/src/held-state.ts",
    from: "if (held !== undefined && order < 0) return { ...older(key, message.stamp, held.stamp), isSeen: false }",
    to: "",
    check: histories
  },
  {
    name: "obliged-forgotten",
    breaks: "a node that was a candidate before need not confirm",
    file: "packages/domain/src/announcing/resolve.ts",
    from: "[...new Set([...before, ...vip.obliged, ...candidates])].sort()",
    to: "[...new Set([...candidates])].sort()",
    check: histories
  },
  {
    name: "no-quarantine",
    breaks: "an address does not rest",
    file: "packages/domain/src/fleet/decide.ts",
    from: "restedEndMs) <= draft.context.nowMs",
    to: "restedEndMs) <= draft.context.nowMs + 1e12",
    check: histories
  },
  {
    name: "taken-forgotten",
    breaks: "an address that somebody has is given to somebody else",
    file: "packages/domain/src/fleet/occupied.ts",
    from: 'phase !== "free")) taken.add(address)',
    to: 'phase !== "free")) taken.delete(address)',
    check: histories
  },
  {
    name: "absence-believed",
    breaks: "what a source that lost sight does not show is believed to be gone",
    file: "services/agent/src/observations.ts",
    from: "words.test(text))) ?? true",
    to: "words.test(text))) ?? false",
    check: histories
  },
  {
    name: "digest-drifts",
    breaks: "the head's digest does not follow the set",
    file: "services/allocator/src/decide-batch.ts",
    from: "if (cseqBefore !== undefined) digest.remove(key, cseqBefore)",
    to: "",
    check: histories
  },
  {
    name: "state-beside-the-log",
    breaks: "the current state is not what the log amounts to",
    file: "services/allocator/src/decide-batch.ts",
    from: "writeState(event.after, memory.fleet.fleetVersion)",
    to: "writeState(event.before ?? event.after, memory.fleet.fleetVersion)",
    check: histories
  },
  {
    name: "no-fence",
    breaks: "a replaced leader goes on writing",
    file: "packages/ledger/src/append-statement.ts",
    from: "where one and epoch = $2::int and seq = $3::bigint",
    to: "where one and $2::int is not null and $3::bigint is not null",
    check: tests("live", "packages/ledger/test/writers.live.test.ts")
  },
  {
    name: "no-signature",
    breaks: "an intent is believed without its signature",
    file: "packages/bus/src/envelope.ts",
    from: "verify(null, signed.octets, signed.key, signed.sig)",
    to: "signed.octets.length > 0 || verify(null, signed.octets, signed.key, signed.sig)",
    check: tests("unit", "services/speaker/test/trust.test.ts")
  },
  {
    name: "nothing-kept",
    breaks: "a speaker that starts announces nothing of what its disk has",
    file: "services/speaker/src/saved-state.ts",
    from: "restoreMessage(judge, held, { refusals, otherNodes }, record)",
    to: "void record",
    check: tests("unit", "services/speaker/test/saved-state.test.ts")
  },
  {
    name: "empty-inventory-believed",
    breaks: "an inventory of nothing withdraws everything",
    file: "packages/domain/src/fleet/inventory.ts",
    from: "listed.length === 0 && known.length > 0)",
    to: "listed.length < 0 && known.length > 0)",
    check: tests("unit", "packages/domain/test/allocation.test.ts")
  },
  {
    name: "retired-means-all",
    breaks: "retiring one node frees addresses that others have yet to confirm",
    file: "packages/domain/src/allocation/settle.ts",
    from: "if (after !== vip && awaitedNodes(draft.context, after).length === 0) {",
    to: "if (after !== vip) {",
    check: tests("unit", "packages/domain/test/fleet-history.test.ts")
  },
  {
    name: "reservation-forgotten",
    breaks: "a reserved address is given to whoever asks by chance",
    file: "packages/domain/src/fleet/occupied.ts",
    from: "const isKept = reserved.has(text) || shared.has(text)",
    to: "const isKept = shared.has(text)",
    check: tests("unit", "packages/domain/test/fleet-history.test.ts")
  },
  {
    name: "quota-by-one",
    breaks: "one address more than a quota allows is given",
    file: "packages/domain/src/allocation/quota.ts",
    from: "if (after <= quota.addresses || after <= present) return undefined",
    to: "if (after <= quota.addresses + 1 || after <= present) return undefined",
    check: tests("unit", "packages/domain/test/fleet-history.test.ts")
  },
  {
    name: "anybody-orders",
    breaks: "an order is carried out whoever gives it",
    file: "services/allocator/src/decide-batch.ts",
    from: "if (forbidden !== undefined) return Result.fail(forbidden)",
    to: "",
    check: tests("live", "services/allocator/test/http/orders.live.test.ts")
  },
  {
    name: "adopt-nothing",
    breaks: "what speakers and NATS remember of a lost history is not taken over",
    file: "services/allocator/src/recovery.ts",
    from: '(state === "withdrawn" ? given : taken).push(claim)',
    to: '(state === "withdrawn" ? given : taken).push()',
    check: histories
  },
  {
    name: "newest-claim-alone",
    breaks: "of an address that two clusters announce when history is lost, one is given it and the other is forgotten",
    file: "services/allocator/src/recovery.ts",
    from: "claim === newest || isOpen ||",
    to: "claim === newest || (isOpen && !isOpen) ||",
    check: tests("unit", "services/allocator/test/recovery.test.ts")
  },
  {
    name: "any-number",
    breaks: "a node that says the highest number there is leaves its cluster's messages none",
    file: "services/allocator/src/recovery.ts",
    from: "if (vip.cseq <= saidCseqMax) this",
    to: "this",
    check: tests("unit", "services/allocator/test/recovery.test.ts")
  },
  {
    name: "one-loss-only",
    breaks: "of a history that was lost twice only the newest loss is minded",
    file: "services/allocator/src/loss.ts",
    from: "isUnknown(own ?? last, stamp)",
    to: "isUnknown(last, stamp)",
    check: tests("unit", "services/allocator/test/recovery.test.ts")
  },
  {
    name: "unproven-stamps",
    breaks: "a status that says more than the log has begins a recovery, whoever gave it",
    file: "services/allocator/src/stamp-proofs.ts",
    from: "return Result.isSuccess(opened) ? undefined",
    to: "return Result.isSuccess(opened) || opened.failure.message.length > 0 ? undefined",
    check: tests("unit", "services/allocator/test/stamp-proofs.test.ts")
  },
  {
    name: "roll-call-proof",
    breaks: "a roll call that is sent back begins a recovery",
    file: "services/allocator/src/stamp-proofs.ts",
    from: '"ObjectFindings"]',
    to: '"ObjectFindings", "RollCall"]',
    check: tests("unit", "services/allocator/test/stamp-proofs.test.ts")
  },
  {
    name: "alarm-for-an-hour",
    breaks: "a node that the log has caught up with stays an alarm for an hour",
    file: "services/allocator/src/stamp-proofs.ts",
    from: "if (isKnown && this",
    to: "if (isKnown && head.seq < 0 && this",
    check: tests("unit", "services/allocator/test/stamp-proofs.test.ts")
  },
  {
    name: "no-proofs",
    breaks: "nodes do not prove what they hold, so that a loss is not noticed by them",
    file: "services/speaker/src/held-state.ts",
    from: "if (newest === undefined || newest.envelope.length > proofLengthMax) return head?.envelope",
    to: "if (newest === undefined || newest.envelope.length > 0) return undefined",
    check: tests("unit", "services/speaker/test/held-state.test.ts")
  },
  {
    name: "half-a-telling",
    breaks: "an inventory counts although the log lacks what it lists",
    file: "services/allocator/src/recovery.ts",
    from: "return isKnown ? inventory : undefined",
    to: "return isKnown || cluster !== undefined ? inventory : undefined",
    check: tests("unit", "services/allocator/test/recovery.test.ts")
  },
  {
    name: "moves-at-once",
    breaks: "a Service that moves leaves its old address before the new one is on the wire",
    file: "packages/domain/src/allocation/moves.ts",
    from: "return isOver ? [{ namespace, name, address, successor }] : []",
    to: "return isOver || nodes.length >= 0 ? [{ namespace, name, address, successor }] : []",
    check: histories
  },
  {
    name: "no-brake",
    breaks: "a speaker withdraws whatever intents say, however much at once",
    file: "services/speaker/src/brake.ts",
    from: "Math.max(brakeFreeCount, Math.floor(prefixes * brakeShare))",
    to: "Math.max(brakeFreeCount, Math.floor(prefixes * brakeShare), 1_000_000)",
    check: tests("unit", "services/speaker/test/brake.test.ts")
  },
  {
    name: "no-budget",
    breaks: "what is withdrawn on command has no bound",
    file: "packages/domain/src/fleet/budget.ts",
    from: "return withdrawn + count <= limit",
    to: "return withdrawn + count <= limit + 1_000_000",
    check: tests("unit", "packages/domain/test/budget.test.ts")
  },
  {
    name: "no-held-configuration",
    breaks: "nodes that are away for a moment make nothing of what configuration would take",
    file: "packages/domain/src/announcing/routeless.ts",
    from: "return known.length === present.length ? [present] : [present, known]",
    to: "return known.length < present.length ? [known] : [present]",
    check: tests("unit", "packages/domain/test/held-configuration.test.ts")
  },
  {
    name: "no-roll-call",
    breaks: "a recovery ends before the nodes that are there have said what they hold",
    file: "services/allocator/src/recovery.ts",
    from: "return hasAnswered || isRetired || excused.has(who) ? [] : [who]",
    to: "return hasAnswered || !isRetired || excused.has(who) ? [] : [who]",
    check: histories
  },
  {
    name: "kind-missing-believed",
    breaks: "an inventory that lacks a whole kind takes everything of that kind away",
    file: "packages/domain/src/fleet/inventory.ts",
    from: "listed.length === 0 && known.length > 0)",
    to: "listed.length < 0 && known.length > 0)",
    check: histories
  },
  {
    name: "old-incarnation",
    breaks: "what is published after a loss keeps the incarnation from before it",
    file: "services/allocator/src/decide-batch.ts",
    from: "  incarnation: memory.head.incarnation,\n  epoch: memory.head.epoch,",
    to: "  incarnation: 1,\n  epoch: memory.head.epoch,",
    check: histories
  },
  {
    name: "shared-unasked",
    breaks: "an address that another cluster has is given although nobody said that they share it",
    file: "packages/domain/src/allocation/available.ts",
    from: "const vips = isMember ? [",
    to: "const vips = isMember || address.length > 0 ? [",
    check: histories
  },
  {
    name: "shared-forgotten",
    breaks: "sharing ends while two clusters have the address",
    file: "packages/domain/src/fleet/shared-addresses.ts",
    from: "if (held.length < 2) continue",
    to: "if (held.length < 9) continue",
    check: histories
  },
  {
    name: "pool-for-all",
    breaks: "a pool of the fleet gives addresses to clusters that it does not select",
    file: "packages/domain/src/fleet/fleet-pools.ts",
    from: "pool.network === cluster.network && selectsCluster(pool, cluster)",
    to: "pool.network === cluster.network",
    check: histories
  },
  {
    name: "selector-spares",
    breaks: "a node that a changed nodeSelector drops need not confirm",
    file: "packages/domain/src/announcing/resolve.ts",
    from: "obligedBefore.filter((node) => !isRetired(cluster, node))",
    to: "obligedBefore.filter((node) => !isRetired(cluster, node) && cluster.nodes.get(node)?.present !== true)",
    check: histories
  },
  {
    name: "one-cluster-told",
    breaks: "a change of Advertisements or peers is told to one of two clusters",
    file: "packages/domain/src/announcing/affected.ts",
    from: "touchObject(touched, state, index)\n      return touchCluster(",
    to: 'touchObject(touched, state, index)\n      if (state.cluster === "west") return\n      return touchCluster(',
    check: histories
  },
  {
    name: "removed-session",
    breaks: "a session that configuration takes away counts as forgotten by its router at once",
    file: "services/speaker/src/peers.ts",
    from: "return this.#traces.values()",
    to: "return this.running.flatMap(({ options }) => this.#traces.get(sessionName(options)) ?? [])",
    check: histories
  },
  {
    name: "one-session-told",
    breaks: "a Service that moves leaves its old address while one of two sessions has yet to be told of the new one",
    file: "packages/domain/src/allocation/moves.ts",
    from: "(!announcing.includes(successor) || untold.includes(successor))",
    to: "!announcing.includes(successor)",
    check: tests("unit", "packages/domain/test/moves.test.ts")
  },
  {
    name: "routes-of-any-service",
    breaks: "a shared address is announced for a Service that its Advertisement does not select",
    file: "packages/domain/src/announcing/resolve.ts",
    from: "covered.length === services.length ||",
    to: "covered.length > 0 ||",
    check: tests("unit", "packages/domain/test/resolve.test.ts")
  },
  {
    name: "manifests-as-one-kind",
    breaks: "an inventory that lacks all Advertisements, or all peers, takes them away",
    file: "packages/domain/src/fleet/inventory.ts",
    from: 'key.slice(0, key.indexOf("/"))',
    to: 'key.slice(0, key.indexOf("/") * 0)',
    check: histories
  },
  {
    name: "communities-untold",
    breaks: "routers are not told that a route has other communities",
    file: "services/speaker/src/route-table.ts",
    from: 'left.communities.join(" ") === right.communities.join(" "))',
    to: "left.communities.length >= 0)",
    check: histories
  },
  {
    name: "forged-signed-anew",
    breaks: "a leader signs what somebody wrote into the database under a retired key's name",
    file: "services/allocator/src/sign-anew.ts",
    from: "if (Result.isFailure(opened) || !isRight(opened.success)) return []",
    to: 'if (Result.isFailure(opened)) return [{ cluster, subject, former: envelope, envelope: seal(key, "{}") }]',
    check: tests("loopback", "test/faults/retired-key.loopback.test.ts")
  },
  {
    name: "another-row-signed-anew",
    breaks: "a leader signs a message that was good once in the row of another one",
    file: "services/allocator/src/sign-anew.ts",
    from: " || !isRight(opened.success)",
    to: "",
    check: tests("loopback", "test/faults/retired-key.loopback.test.ts")
  },
  {
    name: "missing-archive-passed",
    breaks: "a ledger is called intact though an archive between others was not read",
    file: "packages/ledger/src/proofs/verify-log.ts",
    from: "else this.#gaps.push({ fromSeq: size + 1, toSeq: untilSeq })",
    to: "else void 0",
    check: tests("unit", "packages/ledger/test/proofs/segment.test.ts")
  }
]
