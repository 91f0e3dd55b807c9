import type { Command } from "@lowtide/domain"
import type { Memory } from "./memory.ts"

/** Facts about a cluster, which are taken while it is frozen; what takes something away is held back. */
const facts = [
  "RegisterCluster",
  "ApplyManifest",
  "ReportFindings",
  "ObserveNamespace",
  "ObserveNode",
  "ObserveService",
  "ObserveServingNodes"
] as const
const factTags: ReadonlySet<Command["_tag"]> = new Set(facts)

type Fact = Extract<Command, { readonly _tag: (typeof facts)[number] }>

/** Whether an agent says by it that something is there. */
export const isFact = (command: Command): command is Fact => factTags.has(command._tag)

type Absence = Extract<
  Command,
  { readonly _tag: "DeleteManifest" | "ForgetNamespace" | "ForgetNode" | "ForgetService" }
>

/** Whether an agent says by it that something is gone. */
export const isAbsence = (command: Command): command is Absence => {
  switch (command._tag) {
    case "DeleteManifest":
    case "ForgetNamespace":
    case "ForgetNode":
    case "ForgetService":
      return true
    default:
      return false
  }
}

/** Whether a command has to wait for the recovery's end. */
export const isHeldBack = ({ fleet }: Pick<Memory, "fleet">, command: Command): boolean => {
  if (fleet.recovery === undefined) return false
  switch (command._tag) {
    case "BeginRecovery":
    case "AdoptVips":
    case "FinishRecovery":
    case "RepublishCluster":
    case "RepublishPart":
    case "ConfirmWithdrawals":
    case "ExpireQuarantines":
    case "RecordExport":
    case "SealWireJournal":
    case "FinaliseFleet":
    case "RecordWireDrop":
    case "RecordSegment":
      return false // they mind the frozen clusters themselves, or touch none
    case "ReleaseAdopted":
      return fleet.recovery.phase === "recovering"
    case "ForceRelease": {
      const vips = fleet.vipsAt(command.network, command.address)
      return vips.length === 0
        ? fleet.recovery.phase === "recovering"
        : vips.some(({ cluster }) => fleet.isFrozen(fleet.cluster(cluster)))
    }
    case "ApproveWithdrawals":
    case "RejectWithdrawals": {
      const order = fleet.approvals.get(command.id)
      return order === undefined ? fleet.recovery.phase === "recovering" : fleet.isFrozen(fleet.cluster(order.cluster))
    }
    case "ApplyFleetObject":
    case "DeleteFleetObject":
      return fleet.recovery.phase === "recovering" || [...fleet.clusters.values()].some((each) => fleet.isFrozen(each))
    default: {
      const cluster = fleet.clusters.get(command.cluster)
      const isFrozen = cluster === undefined || fleet.isFrozen(cluster)
      return isFrozen && !isFact(command)
    }
  }
}
