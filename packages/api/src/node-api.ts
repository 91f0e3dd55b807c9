import { HttpApi, HttpApiEndpoint, HttpApiGroup, HttpApiMiddleware, OpenApi } from "effect/http-api"
import { BgpGroup } from "./bgp-group.ts"
import { NodeOrder, NodeOrderAnswer, NodeTruth } from "./node-truth.ts"
import { InvalidQueryProblem, NotFoundProblem } from "./problems.ts"

/** Break-glass: what a person at the node asks and orders, with centre and NATS away. */
export class NodeGroup extends HttpApiGroup.make("node")
  .add(
    HttpApiEndpoint.get("truth", "/node", { success: NodeTruth }).annotate(
      OpenApi.Summary,
      "What the node announces, by what, and how old that is"
    ),
    HttpApiEndpoint.post("withdraw", "/node/withdraw", {
      payload: NodeOrder,
      success: NodeOrderAnswer,
      error: InvalidQueryProblem
    }).annotate(
      OpenApi.Summary,
      "Take routes away at once, and keep them away whatever the centre says, until they are given back"
    ),
    HttpApiEndpoint.post("restore", "/node/restore", {
      payload: NodeOrder,
      success: NodeOrderAnswer,
      error: [InvalidQueryProblem, NotFoundProblem]
    }).annotate(OpenApi.Summary, "Give routes back that were taken away at the node")
  )
  .prefix("/v1") {}

/** What a speaker answers on its own socket, which only root and its user may open. */
export class NodeApi extends HttpApi.make("lowtide-node")
  .add(BgpGroup, NodeGroup)
  .middleware(HttpApiMiddleware.ProblemDetails)
  .annotateMerge(
    OpenApi.annotations({
      title: "Lowtide speaker",
      version: "0.1.0",
      description: "What one node announces, and break-glass. Answered on a socket in the speaker's state folder."
    })
  ) {}
