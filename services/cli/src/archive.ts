import { plural } from "@lowtide/domain/words"
import type { SegmentFault, VerifiedSegment } from "@lowtide/ledger/segment-file"
import { CliFault, exitCodes } from "./fault.ts"

const exitOf: { readonly [Reason in SegmentFault["reason"]]: number } = {
  exists: exitCodes.conflict,
  unreadable: exitCodes.usage,
  damaged: exitCodes.unmet,
  unknown: exitCodes.conflict,
  order: exitCodes.conflict,
  unavailable: exitCodes.unreachable
}

const nextOf: { readonly [Reason in SegmentFault["reason"]]: string } = {
  exists: "name another folder",
  unreadable: "check the path",
  damaged: "nothing was recorded, dropped or loaded; use another copy",
  unknown: "nothing was loaded; name the database that it was archived from",
  order: "nothing was loaded; load the segment that comes after it first",
  unavailable: "check the file's folder, the database, and that its role owns the tables"
}

/** The fault that a failed archive amounts to. */
export const segmentFault = ({ reason, message }: SegmentFault): CliFault =>
  new CliFault({ exitCode: exitOf[reason], what: message, next: nextOf[reason] })

/** The verdict over an archive, as a sentence for the record. */
export const archiveSentence = (file: string, verified: VerifiedSegment): string => {
  const { fromSeq, toSeq, firstAt, lastAt, sha256, checkpoint } = verified
  return (
    `GREEN: ${file} has events ${fromSeq} to ${toSeq} of the ledger ${checkpoint.origin}, recorded ${firstAt} to ${lastAt}, ` +
    `unchanged: they lead to root ${Buffer.from(checkpoint.root).toString("base64")} over ${plural(checkpoint.size, "event")}, ` +
    `signed ${checkpoint.signedAt} by ${checkpoint.signedBy}. SHA-256 of the file ${sha256}.`
  )
}
