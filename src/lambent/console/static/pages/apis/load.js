// An API with its routes and stages, in the same words for all kinds:
// {name, facts, routes: [{key, method, path, integration, arn, auth, resourceId}], stages: [{name, deployed, address}]}.
import { aws, awsAll } from "../../api.js";
import { functionOf } from "../../arns.js";

export function loadApi(kind, id, signal) {
  return kind === "rest" ? loadRest(id, signal) : loadOther(id, signal);
}

// The function of an integration, null if it calls something else.
function functionIn(uri) {
  const found = /arn:[\w-]+:lambda:[\w-]+:\d+:function:[\w-]+(?::[\w$-]+)?/.exec(uri ?? "");
  return found && functionOf(found[0]);
}

async function loadRest(id, signal) {
  const [api, resources, stages] = await Promise.all([
    aws("apigateway", "GetRestApi", { restApiId: id }, { signal }),
    awsAll("apigateway", "GetResources", { restApiId: id, limit: 500, embed: ["methods"] }, { items: "items", token: "position", signal }),
    aws("apigateway", "GetStages", { restApiId: id }, { signal }),
  ]);
  const routes = resources.flatMap((resource) => Object.entries(resource.resourceMethods ?? {}).map(([method, details]) => {
    const integration = details.methodIntegration ?? {};
    return {
      key: `${resource.id} ${method}`, method, path: resource.path, resourceId: resource.id, type: integration.type ?? "none",
      target: functionIn(integration.uri), uri: integration.uri, auth: details.authorizationType ?? "NONE", needsKey: details.apiKeyRequired,
    };
  }));
  return {
    name: api.name, facts: [["ID", api.id], ["Description", api.description], ["API key from", api.apiKeySource]], created: api.createdDate,
    routes: sorted(routes),
    stages: (stages.item ?? []).map((stage) => ({ name: stage.stageName, deployment: stage.deploymentId, changed: stage.lastUpdatedDate, variables: stage.variables })),
  };
}

async function loadOther(id, signal) {
  const list = (operation) => awsAll("apigatewayv2", operation, { ApiId: id, MaxResults: "500" }, { items: "Items", token: "NextToken", signal });
  const [api, routes, integrations, stages] = await Promise.all([
    aws("apigatewayv2", "GetApi", { ApiId: id }, { signal }), list("GetRoutes"), list("GetIntegrations"), list("GetStages"),
  ]);
  const byId = new Map(integrations.map((each) => [each.IntegrationId, each]));
  return {
    name: api.Name, created: api.CreatedDate,
    facts: [["ID", api.ApiId], ["Address", api.ApiEndpoint], ["Description", api.Description], ["Route by", api.RouteSelectionExpression]],
    routes: sorted(routes.map((route) => {
      const integration = byId.get((route.Target ?? "").replace("integrations/", "")) ?? {};
      const [method, path] = route.RouteKey.includes(" ") ? route.RouteKey.split(" ") : ["", route.RouteKey];
      return {
        key: route.RouteId, method, path, type: integration.IntegrationType ?? "none", target: functionIn(integration.IntegrationUri),
        uri: integration.IntegrationUri ?? integration.IntegrationSubtype, auth: route.AuthorizationType ?? "NONE", needsKey: route.ApiKeyRequired,
      };
    })),
    stages: stages.map((stage) => ({
      name: stage.StageName, deployment: stage.DeploymentId, changed: stage.LastUpdatedDate, variables: stage.StageVariables, isAutomatic: stage.AutoDeploy,
    })),
  };
}

function sorted(routes) {
  return routes.sort((one, other) => one.path.localeCompare(other.path) || one.method.localeCompare(other.method));
}
