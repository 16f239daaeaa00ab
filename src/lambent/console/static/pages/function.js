// One function.
import { html } from "../lib.js";
import { aws } from "../api.js";
import { link, useData } from "../hooks.js";
import { Badge, Heading, Loaded, Tabs } from "../ui.js";
import { Configuration } from "./function/configuration.js";

const TABS = [["configuration", "Configuration", Configuration]];

export default function Detail({ name, route }) {
  const tab = TABS.find(([key]) => key === route.parts[2]) ?? TABS[0];
  const found = useData((signal) => aws("lambda", "GetFunction", { FunctionName: name }, { signal }), [name], { every: 10000 });
  const Content = tab[2];
  return html`<${Heading} title=${name} trail=${[["Functions", "#/functions"]]}>
      ${found.data && html`<${Badge}>${found.data.Configuration.State}<//>`}
    <//>
    <${Tabs} label="Function" tabs=${TABS} current=${tab[0]} href=${(key) => link(["functions", name, key])} />
    <${Loaded} ...${found} lines=${6}>${(data) => html`<${Content} name=${name} found=${data} reload=${found.reload} route=${route} />`}<//>`;
}
