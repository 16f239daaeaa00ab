// The code of a function: its files, and a plain editor for those that are text.
import { html, useLayoutEffect, useState } from "../../lib.js";
import { aws, checked, raw } from "../../api.js";
import { bytes } from "../../format.js";
import { useAction, useData } from "../../hooks.js";
import { Button, Card, Empty, ErrorBox, Loaded } from "../../ui.js";
import { contentOf, newEntry, readZip, toBase64, withContent, writeZip } from "./zip.js";

const PACKAGE_BYTES_MAX = 3 << 20;

export function Code({ name, found, reload }) {
  const { CodeSize: size, PackageType: type, CodeSha256: hash } = found.Configuration;
  const location = found.Code?.Location;
  const loaded = useData(async (signal) => {
    if (!location || type === "Image" || size > PACKAGE_BYTES_MAX) return null;
    const path = new URL(location).pathname;
    const response = await checked(await raw("lambda", path, { signal }));
    return { hash, entries: readZip(await response.arrayBuffer()) };
  }, [hash]);
  return html`<${Loaded} ...${loaded} lines=${8}>${(shown) => shown === null
    ? html`<${Card}><${Empty} title="This code is not shown here.">Packages of more than ${bytes(PACKAGE_BYTES_MAX)}, and images, are
        changed with <code>lambent deploy</code>.<//><//>`
    : html`<${Editor} key=${shown.hash} name=${name} entries=${shown.entries} reload=${reload} />`}<//>`;
}

function Editor({ name, entries, reload }) {
  const files = entries.filter((entry) => !entry.name.endsWith("/"));
  const [changed, setChanged] = useState({});
  const [added, setAdded] = useState([]);
  const [current, setCurrent] = useState(firstOf(files));
  const [text, setText] = useState(null);
  const [error, setError] = useState(null);
  const change = (file, content) => setChanged((old) => ({ ...old, [file]: content }));
  const all = [...files, ...added];
  const entry = all.find((each) => each.name === current);
  useLayoutEffect(() => {
    let gone = false;
    setText(null);
    setError(null);
    if (entry) {
      readText(entry).then((read) => gone || setText(read), (problem) => gone || setError(problem));
    }
    return () => {
      gone = true;
    };
  }, [current, added.length]);
  const save = useAction(async () => {
    const next = [];
    for (const each of [...entries, ...added]) {
      const content = changed[each.name];
      next.push(content === undefined ? each : await withContent(each, new TextEncoder().encode(content)));
    }
    await aws("lambda", "UpdateFunctionCode", { FunctionName: name, ZipFile: toBase64(await writeZip(next)) });
    await reload();
  });
  const isChanged = Object.keys(changed).length > 0 || added.length > 0;
  const actions = html`${isChanged && html`<span class="muted">${Object.keys(changed).length} changed</span>`}
    <${Button} kind="small primary" disabled=${!isChanged} busy=${save.busy} onClick=${save.run}>Deploy<//>`;
  return html`<${Card} title="Code" actions=${actions}>
    <${ErrorBox} error=${save.error ?? error} />
    <div class="editor">
      <${Files} files=${all} current=${current} changed=${changed} onChoose=${setCurrent}
        onAdd=${(file) => { setAdded((old) => [...old, newEntry(file)]); change(file, ""); setCurrent(file); }} />
      ${entry && text === undefined && html`<${Empty} title="This file is not text.">It stays as it is.<//>`}
      ${entry && typeof text === "string" && html`<textarea aria-label=${`Content of ${current}`} spellcheck=${false} wrap="off"
        value=${changed[current] ?? text} onInput=${(event) => change(current, event.target.value)}></textarea>`}
    </div>
  <//>`;
}

function Files({ files, current, changed, onChoose, onAdd }) {
  const [name, setName] = useState("");
  const add = (event) => {
    event.preventDefault();
    const file = name.trim().replace(/^\/+/, "");
    if (file && !file.split("/").includes("..") && !files.some((each) => each.name === file)) {
      onAdd(file);
      setName("");
    }
  };
  return html`<div class="files">
    <ul aria-label="Files">${files.map((file) => html`<li key=${file.name}>
      <button type="button" class="plain" aria-current=${file.name === current} onClick=${() => onChoose(file.name)}>
        ${file.name}${changed[file.name] !== undefined && html`<span title="changed"> •</span>`}</button></li>`)}</ul>
    <form onSubmit=${add}><input aria-label="New file" placeholder="New file" spellcheck=${false} value=${name}
      onInput=${(event) => setName(event.target.value)} /></form>
  </div>`;
}

function firstOf(files) {
  const wanted = files.find((file) => /^(app|index|main|lambda_function|handler)\.\w+$/.test(file.name));
  return (wanted ?? files[0])?.name;
}

// The text of an entry, undefined if it is none.
async function readText(entry) {
  const content = await contentOf(entry);
  try {
    const text = new TextDecoder("utf-8", { fatal: true }).decode(content);
    return text.includes("\0") ? undefined : text;
  } catch {
    return undefined;
  }
}
