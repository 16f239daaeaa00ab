// The lines of log groups: searched, followed, and looked at.
import { html, useEffect, useRef, useState } from "../../lib.js";
import { number } from "../../format.js";
import { Lines } from "../../log_lines.js";
import { Choice, Empty, ErrorBox, Notice } from "../../ui.js";
import { LineDetail } from "./detail.js";
import { LineList } from "./list.js";
import { follow, loadLines } from "./load.js";

const RANGES = [["0", "From now"], ["900", "15 min"], ["3600", "1 h"], ["86400", "24 h"], ["all", "All"]];
const FOLLOWED_MAX = 10;

export function Viewer({ groups, streams = [], pattern = "", onPattern, range: given = "3600", live = true, searchable = true, empty }) {
  const [text, setText] = useState(pattern);
  const [range, setRange] = useState(given);
  const [follows, setFollows] = useState(live && groups.length <= FOLLOWED_MAX);
  const [selected, setSelected] = useState(null);
  useEffect(() => setText(pattern), [pattern]);
  const found = useLines({ groups, streams, pattern, range, follows });
  const canFollow = groups.length <= FOLLOWED_MAX;
  useEffect(() => setSelected(null), [found.lines]);
  return html`<div class="log-view">
    <form class="log-bar" onSubmit=${(event) => { event.preventDefault(); onPattern(text.trim()); }}>
      ${searchable && html`<input type="search" class="mono" aria-label="Filter pattern" placeholder='Filter pattern: ERROR, "two words", { $.level = "error" }'
        value=${text} spellcheck=${false} onInput=${(event) => setText(event.target.value)} onSearch=${(event) => onPattern(event.target.value.trim())} />
      <button type="submit">Filter</button>`}
      <${Choice} label="Range" options=${RANGES} value=${range} onChange=${(value) => { setRange(value); if (value === "0") setFollows(canFollow); }} />
      <button type="button" aria-pressed=${follows} disabled=${!canFollow} title=${canFollow ? "" : `At most ${FOLLOWED_MAX} log groups can be followed`}
        class=${follows ? "live on" : "live"} onClick=${() => setFollows(!follows)}><span aria-hidden="true">●</span> Live</button>
    </form>
    <${ErrorBox} error=${found.error} retry=${found.retry} />
    ${found.isSampled && html`<${Notice} kind="warn">More is logged than a live tail shows: some lines are missing here. Narrow the filter, or choose the range again to load all.<//>`}
    ${found.lines.hasMore && html`<${Notice} kind="warn">There are more lines than a browser holds: these are the oldest. Choose a shorter range, or a filter.<//>`}
    <div class=${selected ? "log-split open" : "log-split"}>
      <${LineList} lines=${found.lines} version=${found.version} hasGroups=${groups.length > 1} selected=${selected} onSelect=${setSelected} sticks=${!selected && (follows || !found.isDone)} />
      ${!found.lines.items.length && html`<div class="lines-empty">${found.isDone && !found.error && (empty ?? html`<${Nothing} follows=${follows} pattern=${pattern} range=${range} />`)}</div>`}
      ${selected && html`<${LineDetail} key=${selected.key} line=${selected} onClose=${() => setSelected(null)} onPattern=${searchable ? onPattern : null} />`}
    </div>
    <p class="muted small-text" role="status">${number(found.lines.items.length)} lines${found.lines.dropped ? `; ${number(found.lines.dropped)} older ones left out` : ""}${
      !found.isDone && !found.error ? ", loading" : ""}${follows && found.isDone && !found.error ? ", following" : ""}</p>
  </div>`;
}

function Nothing({ follows, pattern, range }) {
  const where = range === "all" ? "" : range === "0" ? " since now" : " in this range";
  return html`<${Empty} title=${pattern ? "No line matches." : `Nothing was logged${where}.`}>
    ${follows ? "New lines appear here as they are logged." : "Choose a longer range, or press Live to wait for new lines."}<//>`;
}

// Loads and follows; what it returns changes with `version`.
function useLines({ groups, streams, pattern, range, follows }) {
  const fresh = () => ({ lines: new Lines(), version: 0, error: null, isDone: false, isSampled: false });
  const [state, setState] = useState(fresh);
  const [attempt, setAttempt] = useState(0);
  const scheduled = useRef(0);
  useEffect(() => {
    const controller = new AbortController();
    const { signal } = controller;
    const lines = new Lines();
    setState({ ...fresh(), lines });
    const update = (more) => signal.aborted || setState((old) => ({ ...old, lines, version: old.version + 1, ...more }));
    // A burst of pages is painted once.
    const onPage = () => {
      if (scheduled.current) return;
      scheduled.current = setTimeout(() => {
        scheduled.current = 0;
        update();
      }, 50);
    };
    const since = range === "all" ? 0 : Date.now() - Number(range) * 1000;
    const load = async () => {
      if (range !== "0") await loadLines(lines, { groups, streams, pattern, since, signal, onPage });
      update({ isDone: true });
    };
    const options = { groups, streams, pattern, signal, before: load, onPage, onSampled: () => update({ isSampled: true }) };
    const run = groups.length === 0 ? Promise.resolve() : follows ? follow(lines, options) : load();
    run.catch((error) => signal.aborted || update({ error, isDone: true }));
    return () => {
      controller.abort();
      clearTimeout(scheduled.current);
      scheduled.current = 0;
    };
  }, [groups.join(","), streams.join(","), pattern, range, follows, attempt]);
  return { ...state, retry: () => setAttempt(attempt + 1) };
}
