// What the browser remembers. Storage may be disabled or full; then nothing is remembered.

export function load(name, otherwise) {
  try {
    const text = localStorage.getItem(`lambent.${name}`);
    return text === null ? otherwise : JSON.parse(text);
  } catch {
    return otherwise;
  }
}

export function save(name, value) {
  try {
    if (value === undefined) localStorage.removeItem(`lambent.${name}`);
    else localStorage.setItem(`lambent.${name}`, JSON.stringify(value));
  } catch {
    // See above.
  }
}
