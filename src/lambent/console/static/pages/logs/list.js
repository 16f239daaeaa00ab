// Rows of log lines, of which only those in sight are in the document: a list of a hundred thousand scrolls as one of ten.
import { html, useEffect, useId, useLayoutEffect, useRef, useState } from "../../lib.js";
import { clock, excerpt, levelOf, shortGroup } from "../../log_lines.js";

const ROW = 24;
const SPARE = 20;

// `version` changes with the lines. `sticks`: whether the newest line stays in sight, until the user scrolls up.
export function LineList({ lines, version, hasGroups, selected, onSelect, sticks }) {
  const box = useRef(null);
  const id = useId();
  const atEnd = useRef(true);
  const [view, setView] = useState({ top: 0, height: 600 });
  const items = lines.items;
  const place = selected ? items.indexOf(selected) : -1;

  useLayoutEffect(() => {
    const element = box.current;
    const measure = () => {
      atEnd.current = element.scrollTop + element.clientHeight >= element.scrollHeight - ROW;
      setView((old) => (old.top === element.scrollTop && old.height === element.clientHeight
        ? old : { top: element.scrollTop, height: element.clientHeight }));
    };
    const sizes = new ResizeObserver(measure);
    sizes.observe(element);
    element.addEventListener("scroll", measure, { passive: true });
    return () => {
      sizes.disconnect();
      element.removeEventListener("scroll", measure);
    };
  }, []);
  useLayoutEffect(() => {
    if (sticks && atEnd.current) box.current.scrollTop = items.length * ROW;
  }, [version, sticks]);
  useEffect(() => {
    if (place < 0) return;
    const element = box.current;
    if (place * ROW < element.scrollTop) element.scrollTop = place * ROW;
    else if ((place + 1) * ROW > element.scrollTop + element.clientHeight) element.scrollTop = (place + 1) * ROW - element.clientHeight;
  }, [selected]);

  const move = (event) => {
    const page = Math.max(Math.floor(view.height / ROW) - 1, 1);
    const targets = {
      ArrowDown: place + 1, ArrowUp: place < 0 ? items.length - 1 : place - 1, PageDown: place + page, PageUp: place - page,
      Home: 0, End: items.length - 1,
    };
    if (event.key === "Escape" && selected) onSelect(null);
    else if (!(event.key in targets) || !items.length) return;
    else onSelect(items[Math.min(Math.max(targets[event.key], 0), items.length - 1)]);
    event.preventDefault();
  };
  const first = Math.max(0, Math.floor(view.top / ROW) - SPARE);
  const last = Math.min(items.length, Math.ceil((view.top + view.height) / ROW) + SPARE);
  return html`<div class=${hasGroups ? "lines grouped" : "lines"} ref=${box} role="listbox" tabindex="0" aria-label="Log lines"
      aria-activedescendant=${place >= first && place < last ? `${id}-${selected.key}` : undefined} onKeyDown=${move}>
    <div style=${{ height: `${items.length * ROW}px` }} role="presentation">
      <div role="presentation" style=${{ transform: `translateY(${first * ROW}px)` }}>
        ${items.slice(first, last).map((line, at) => html`<${Row} key=${line.key} id=${`${id}-${line.key}`} line=${line} hasGroup=${hasGroups}
          position=${first + at + 1} of=${items.length} isSelected=${line === selected} onSelect=${onSelect} />`)}
      </div>
    </div>
  </div>`;
}

function Row({ id, line, hasGroup, position, of, isSelected, onSelect }) {
  line.level ??= levelOf(line.message);
  line.text ??= excerpt(line.message);
  return html`<div class=${`line ${line.level}`} id=${id} role="option" aria-selected=${isSelected} aria-posinset=${position}
      aria-setsize=${of} onClick=${() => onSelect(isSelected ? null : line)}>
    <span class="at">${clock(line.at)}</span>
    ${hasGroup && html`<span class="group">${shortGroup(line.group)}</span>`}
    <span class="level">${line.level === "platform" ? "" : line.level}</span>
    <span class="said">${line.text}</span>
  </div>`;
}
