import { Schema } from "effect"
import { HttpApiError } from "effect/http-api"

const typeOf = (name: string) => `https://lowtide.dev/problems/${name}` as const

/** 404: the thing asked about is not known. */
export class NotFoundProblem extends HttpApiError.Problem<NotFoundProblem>()("NotFoundProblem", {
  type: typeOf("not-found"),
  status: 404,
  title: "Not Found"
}) {}

/** 400: the name fits several things; `candidates` are their full names. */
export class AmbiguousProblem extends HttpApiError.Problem<AmbiguousProblem>()(
  "AmbiguousProblem",
  { type: typeOf("ambiguous"), status: 400, title: "Ambiguous Name" },
  { candidates: Schema.Array(Schema.String) }
) {}

/** 400: parameters that are valid each, and do not go together, or one that the operation does not have. `field` names the first of them. */
export class InvalidQueryProblem extends HttpApiError.Problem<InvalidQueryProblem>()(
  "InvalidQueryProblem",
  { type: typeOf("invalid-query"), status: 400, title: "Invalid Query" },
  { field: Schema.String }
) {}

/** 503: something that the answer needs does not answer; asking again later helps. */
export class UnavailableProblem extends HttpApiError.Problem<UnavailableProblem>()(
  "UnavailableProblem",
  { type: typeOf("unavailable"), status: 503, title: "Service Unavailable" },
  { code: Schema.String.annotate({ description: "Finding code, docs/reference/codes.md" }) }
) {}

/** 503: this allocator is not the one to ask now. */
export class NotReadyProblem extends HttpApiError.Problem<NotReadyProblem>()(
  "NotReadyProblem",
  { type: typeOf("not-ready"), status: 503, title: "Not Ready" },
  { reasons: Schema.Array(Schema.String) }
) {}

/** What problems that come of a rule carry: which rule, and what to do. */
const ruled = {
  code: Schema.String.annotate({ description: "Stable code, docs/reference/codes.md" }),
  fix: Schema.String
}

/** 401: nobody is told by the request, or nobody whom the allocator knows. */
export class UnauthenticatedProblem extends HttpApiError.Problem<UnauthenticatedProblem>()(
  "UnauthenticatedProblem",
  { type: typeOf("unauthenticated"), status: 401, title: "Unauthenticated" },
  ruled
) {}

/** 403: who asks may not. `role` is what it takes. */
export class ForbiddenProblem extends HttpApiError.Problem<ForbiddenProblem>()(
  "ForbiddenProblem",
  { type: typeOf("forbidden"), status: 403, title: "Forbidden" },
  { ...ruled, role: Schema.String.annotate({ description: "The role that it takes, with its cluster and pool" }) }
) {}

/** 409: the order contradicts what is so. Nothing was changed. */
export class RefusedProblem extends HttpApiError.Problem<RefusedProblem>()(
  "RefusedProblem",
  { type: typeOf("refused"), status: 409, title: "Refused" },
  ruled
) {}

/** Who leads, and where its API answers. */
export const LeaderRef = Schema.Struct({ name: Schema.String, url: Schema.NullOr(Schema.String) })

/** 503: only the leader may answer this, and this allocator does not lead; `leader` is whom to ask, null while nobody is known. */
export class NotLeaderProblem extends HttpApiError.Problem<NotLeaderProblem>()(
  "NotLeaderProblem",
  { type: typeOf("not-leader"), status: 503, title: "Not the Leader" },
  { leader: Schema.NullOr(LeaderRef) }
) {}

/** 503: the event that `min_seq` names was not read in time; `position` is how far this allocator is. */
export class BehindProblem extends HttpApiError.Problem<BehindProblem>()(
  "BehindProblem",
  { type: typeOf("behind"), status: 503, title: "Behind" },
  { position: Schema.Int }
) {}
