// The resources of a stack, as a table and as a picture of what depends on what.
import { html } from "../../lib.js";
import { aws, awsAll } from "../../api.js";
import { link, useData } from "../../hooks.js";
import { dependencies } from "../../stack_graph.js";
import { Card, Empty, Loaded, Table, Time } from "../../ui.js";
import { Status } from "./detail.js";
import { Graph } from "./graph.js";

const PAGES = {
  "AWS::Lambda::Function": (id) => link(["functions", id]),
  "AWS::ApiGatewayV2::Api": (id) => link(["apis", "http", id]),
  "AWS::ApiGateway::RestApi": (id) => link(["apis", "rest", id]),
  "AWS::Logs::LogGroup": (id) => link(["logs", id]),
  "AWS::Lambda::EventSourceMapping": (id) => link(["sources", id]),
  "AWS::CloudFormation::Stack": (id) => link(["stacks", /stack\/([^/]+)\//.exec(id)?.[1] ?? id]),
};

// Where the console shows a resource, undefined if nowhere.
export function pageOfResource(resource) {
  return resource.PhysicalResourceId && PAGES[resource.ResourceType]?.(resource.PhysicalResourceId);
}

async function load(stack, signal) {
  const [resources, template] = await Promise.all([
    awsAll("cloudformation", "ListStackResources", { StackName: stack.StackId }, { items: "StackResourceSummaries", token: "NextToken", signal }),
    aws("cloudformation", "GetTemplate", { StackName: stack.StackId, TemplateStage: "Processed" }, { signal }).catch(() => null),
  ]);
  const edges = dependencies(template?.TemplateBody);
  return { resources, edges };
}

export function Resources({ stack }) {
  const found = useData((signal) => load(stack, signal), [stack.StackId, stack.StackStatus], { every: 5000 });
  return html`<${Loaded} ...${found} lines=${6}>${({ resources, edges }) => {
    if (!resources.length) return html`<${Card}><${Empty} title="This stack has no resources."><//><//>`;
    const columns = [
      { title: "Resource", main: true, cell: (row) => (pageOfResource(row) ? html`<a href=${pageOfResource(row)}>${row.LogicalResourceId}</a>` : row.LogicalResourceId) },
      { title: "Type", minor: true, cell: (row) => row.ResourceType },
      { title: "Status", cell: (row) => html`<${Status} status=${row.ResourceStatus} />` },
      { title: "Depends on", minor: true, main: true, cell: (row) => (edges?.get(row.LogicalResourceId) ?? []).join(", ") || "–" },
      { title: "Physical ID", minor: true, main: true, cell: (row) => html`<code title=${row.PhysicalResourceId}>${row.PhysicalResourceId ?? ""}</code>` },
      { title: "Changed", minor: true, cell: (row) => html`<${Time} at=${row.LastUpdatedTimestamp} relative />` },
    ];
    return html`${edges && resources.length <= 150 && html`<${Card} title="What depends on what"><${Graph} resources=${resources} edges=${edges} /><//>`}
      <${Card} flush><${Table} label="Resources" columns=${columns} rows=${resources} keyOf=${(row) => row.LogicalResourceId} /><//>`;
  }}<//>`;
}
