import { HttpApiMiddleware } from "effect/http-api"
import { BehindProblem, InvalidQueryProblem, NotLeaderProblem } from "./problems.ts"

/** How long an allocator waits for an event that it has not read yet, milliseconds. */
export const minSeqWaitMs = 1_000

/**
 * How current an answer has to be. Every request of `/v1` may carry `min_seq`, a position that the client was given: it is
 * answered from that position on, or not. What changes something, and what says `read=leader`, is answered by the leader
 * alone; another allocator refuses it and says who leads.
 */
export class Currency extends HttpApiMiddleware.Service<Currency>()("@lowtide/api/Currency", {
  error: [BehindProblem, InvalidQueryProblem, NotLeaderProblem]
}) {}

/** The two parameters, as OpenAPI describes them. */
export const currencyParameters = [
  {
    name: "min_seq",
    in: "query",
    required: false,
    schema: { type: "integer", minimum: 0 },
    description: `The answer takes into account at least this event; waits up to ${minSeqWaitMs} ms for it, then 503`
  },
  {
    name: "read",
    in: "query",
    required: false,
    schema: { type: "string", enum: ["any", "leader"] },
    description: "leader: only the allocator that leads answers; another one answers 503 and says who leads"
  }
] as const
