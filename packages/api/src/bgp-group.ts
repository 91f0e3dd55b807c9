import { HttpApiEndpoint, HttpApiGroup, OpenApi } from "effect/http-api"
import { Access } from "./access.ts"
import { BgpFlapList, BgpRouteList, BgpSessionList, bgpFlapsQuery, bgpPeersQuery, bgpRoutesQuery } from "./bgp.ts"
import { InvalidQueryProblem, NotFoundProblem, UnavailableProblem } from "./problems.ts"

const error = [InvalidQueryProblem, NotFoundProblem, UnavailableProblem]

/** What routers are told: an allocator answers for the fleet, a speaker on its own socket for its node. */
export class BgpGroup extends HttpApiGroup.make("bgp")
  .add(
    HttpApiEndpoint.get("peers", "/bgp/peers", { query: bgpPeersQuery, success: BgpSessionList, error }).annotate(
      OpenApi.Summary,
      "Sessions node by node: state, since when, what went wrong last on either side, and why one is down"
    ),
    HttpApiEndpoint.get("routes", "/bgp/routes", { query: bgpRoutesQuery, success: BgpRouteList, error }).annotate(
      OpenApi.Summary,
      "What each peer is to have from each node, with its attributes, why, and what shows that it has it"
    ),
    HttpApiEndpoint.get("flaps", "/bgp/flaps", { query: bgpFlapsQuery, success: BgpFlapList, error }).annotate(
      OpenApi.Summary,
      "Sessions and addresses that went up and down in a window, the most often first, with the reasons"
    )
  )
  .prefix("/v1")
  .middleware(Access) {}
