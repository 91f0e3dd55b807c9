/**
 * Every migration, in order, as a static table: a bundle has no folder to read. Forward only; one schema change each;
 * never edited after a release. What they lead to is in `schema.sql`.
 */
import type { Migration } from "kysely/migration"
import * as events from "./0001-events.ts"
import * as eventsAppendOnly from "./0002-events-append-only.ts"
import * as eventsPartitions from "./0003-events-partitions.ts"
import * as logHead from "./0004-log-head.ts"
import * as lease from "./0005-lease.ts"
import * as streamCurrent from "./0006-stream-current.ts"
import * as vipHistory from "./0007-vip-history.ts"
import * as intents from "./0008-intents.ts"
import * as commandResult from "./0009-command-result.ts"
import * as wireJournal from "./0010-wire-journal.ts"
import * as projectionCheckpoint from "./0011-projection-checkpoint.ts"
import * as ledgerFunctions from "./0012-ledger-functions.ts"
import * as eventsLeafHash from "./0016-events-leaf-hash.ts"
import * as treeNode from "./0017-tree-node.ts"
import * as signedCheckpoint from "./0018-signed-checkpoint.ts"
import * as allocators from "./0019-allocators.ts"
import * as recoveryOrder from "./0020-recovery-order.ts"
import * as wireSessions from "./0022-wire-sessions.ts"
import * as auditViews from "./0023-audit-views.ts"
import * as auditWords from "./0023-audit-words.ts"
import * as brakeWords from "./0030-brake-words.ts"
import * as budgetWords from "./0031-budget-words.ts"
import * as auditWordsOfFleetPools from "./0032-audit-words-of-fleet-pools.ts"
import * as auditWordsOfMoves from "./0033-audit-words-of-moves.ts"
import * as auditWordsOfSharedAddresses from "./0033-audit-words-of-shared-addresses.ts"
import * as vipHistoryMembers from "./0033-vip-history-members.ts"
import * as auditWordsByType from "./0034-audit-words-by-type.ts"
import * as partitionsByCatalog from "./0035-partitions-by-catalog.ts"
import * as replayFindings from "./0036-replay-findings.ts"
import * as segments from "./0036-segments.ts"
import * as stateSchema from "./0037-state-schema.ts"
import * as eventTypes from "./0038-event-types.ts"
import * as fleetVersions from "./0039-fleet-versions.ts"
import * as intentSummary from "./0040-intent-summary.ts"
import * as auditQuestions from "./0045-audit-questions.ts"
import * as segmentDropsWaitBriefly from "./0052-segment-drops-wait-briefly.ts"
import * as intentsOfBefore from "./0053-intents-of-before.ts"
import * as stateDigest from "./0057-state-digest.ts"
import * as auditWordsInNumber from "./0059-audit-words-in-number.ts"
import * as auditDifferenceOfFleet from "./0060-audit-difference-of-fleet.ts"
import * as wireUnread from "./0060-wire-unread.ts"
import * as auditWordsOfKeptVersions from "./0061-audit-words-of-kept-versions.ts"
import * as auditReadsWhatJsonCannot from "./0068-audit-reads-what-json-cannot.ts"
import * as auditReads from "./0069-audit-reads.ts"
import * as auditReadsGoByAge from "./0070-audit-reads-go-by-age.ts"
import * as auditAnnouncedAsBefore from "./0071-audit-announced-as-before.ts"
import * as auditWordsOfLiftedObligations from "./0072-audit-words-of-lifted-obligations.ts"
import * as auditDifferenceOfArchivedTimes from "./0073-audit-difference-of-archived-times.ts"
import * as auditWordsOfReasons from "./0074-audit-words-of-reasons.ts"

/** By name; they run in the order of their names. */
export const migrations: Readonly<Record<string, Migration>> = {
  "0001-events": events,
  "0002-events-append-only": eventsAppendOnly,
  "0003-events-partitions": eventsPartitions,
  "0004-log-head": logHead,
  "0005-lease": lease,
  "0006-stream-current": streamCurrent,
  "0007-vip-history": vipHistory,
  "0008-intents": intents,
  "0009-command-result": commandResult,
  "0010-wire-journal": wireJournal,
  "0011-projection-checkpoint": projectionCheckpoint,
  "0012-ledger-functions": ledgerFunctions,
  "0016-events-leaf-hash": eventsLeafHash,
  "0017-tree-node": treeNode,
  "0018-signed-checkpoint": signedCheckpoint,
  "0019-allocators": allocators,
  "0020-recovery-order": recoveryOrder,
  "0022-wire-sessions": wireSessions,
  "0023-audit-views": auditViews,
  "0023-audit-words": auditWords,
  "0030-brake-words": brakeWords,
  "0031-budget-words": budgetWords,
  "0032-audit-words-of-fleet-pools": auditWordsOfFleetPools,
  "0033-audit-words-of-moves": auditWordsOfMoves,
  "0033-audit-words-of-shared-addresses": auditWordsOfSharedAddresses,
  "0033-vip-history-members": vipHistoryMembers,
  "0034-audit-words-by-type": auditWordsByType,
  "0035-partitions-by-catalog": partitionsByCatalog,
  "0036-replay-findings": replayFindings,
  "0036-segments": segments,
  "0037-state-schema": stateSchema,
  "0038-event-types": eventTypes,
  "0039-fleet-versions": fleetVersions,
  "0040-intent-summary": intentSummary,
  "0045-audit-questions": auditQuestions,
  "0052-segment-drops-wait-briefly": segmentDropsWaitBriefly,
  "0053-intents-of-before": intentsOfBefore,
  "0057-state-digest": stateDigest,
  "0059-audit-words-in-number": auditWordsInNumber,
  "0060-audit-difference-of-fleet": auditDifferenceOfFleet,
  "0060-wire-unread": wireUnread,
  "0061-audit-words-of-kept-versions": auditWordsOfKeptVersions,
  "0068-audit-reads-what-json-cannot": auditReadsWhatJsonCannot,
  "0069-audit-reads": auditReads,
  "0070-audit-reads-go-by-age": auditReadsGoByAge,
  "0071-audit-announced-as-before": auditAnnouncedAsBefore,
  "0072-audit-words-of-lifted-obligations": auditWordsOfLiftedObligations,
  "0073-audit-difference-of-archived-times": auditDifferenceOfArchivedTimes,
  "0074-audit-words-of-reasons": auditWordsOfReasons
}
