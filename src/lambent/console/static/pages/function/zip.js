// ZIP files, read and written in the browser: a package's files never reach a parser of the platform.

const LOCAL = 0x04034b50;
const CENTRAL = 0x02014b50;
const END = 0x06054b50;
const ENTRIES_MAX = 5000;
const ENTRY_BYTES_MAX = 8 << 20;

// The entries of a file: [{name, size, method, compressed, crc, attributes, system, isText?}].
export function readZip(buffer) {
  const view = new DataView(buffer);
  const bytes = new Uint8Array(buffer);
  let end = buffer.byteLength - 22;
  const lowest = Math.max(0, end - 0xffff);
  while (end >= lowest && view.getUint32(end, true) !== END) end -= 1;
  if (end < lowest) throw new Error("The package is not a ZIP file.");
  const count = view.getUint16(end + 10, true);
  if (count > ENTRIES_MAX) throw new Error(`The package has ${count} files, which are too many to show.`);
  const entries = [];
  let at = view.getUint32(end + 16, true);
  for (let n = 0; n < count; n += 1) {
    if (view.getUint32(at, true) !== CENTRAL) throw new Error("The directory of the package is damaged.");
    const nameLength = view.getUint16(at + 28, true);
    const start = view.getUint32(at + 42, true);
    if (view.getUint32(start, true) !== LOCAL) throw new Error("An entry of the package is damaged.");
    const data = start + 30 + view.getUint16(start + 26, true) + view.getUint16(start + 28, true);
    const size = view.getUint32(at + 20, true);
    entries.push({
      name: new TextDecoder().decode(bytes.subarray(at + 46, at + 46 + nameLength)),
      method: view.getUint16(at + 10, true), crc: view.getUint32(at + 16, true),
      size: view.getUint32(at + 24, true), compressed: bytes.slice(data, data + size),
      system: view.getUint16(at + 4, true), attributes: view.getUint32(at + 38, true),
    });
    at += 46 + nameLength + view.getUint16(at + 30, true) + view.getUint16(at + 32, true);
  }
  return entries;
}

// The content of an entry. What it says of its size is not believed.
export async function contentOf(entry) {
  if (entry.method === 0) return entry.compressed;
  if (entry.method !== 8) throw new Error(`${entry.name} is compressed in an unknown way.`);
  const reader = new Blob([entry.compressed]).stream().pipeThrough(new DecompressionStream("deflate-raw")).getReader();
  const chunks = [];
  let length = 0;
  for (;;) {
    const { done, value } = await reader.read();
    if (done) break;
    length += value.length;
    if (length > ENTRY_BYTES_MAX) throw new Error(`${entry.name} is too large to show.`);
    chunks.push(value);
  }
  return new Uint8Array(await new Blob(chunks).arrayBuffer());
}

// An entry with another content.
export async function withContent(entry, content) {
  const stream = new Blob([content]).stream().pipeThrough(new CompressionStream("deflate-raw"));
  const compressed = new Uint8Array(await new Response(stream).arrayBuffer());
  return { ...entry, method: 8, crc: crcOf(content), size: content.length, compressed };
}

export function newEntry(name) {
  // A regular file that everyone may read, made on Unix.
  return { name, method: 0, crc: 0, size: 0, compressed: new Uint8Array(), system: 0x031e, attributes: 0o100644 * 65536 };
}

// The bytes of a ZIP file.
export async function writeZip(entries) {
  const parts = [];
  const directory = [];
  let offset = 0;
  for (const entry of entries) {
    const name = new TextEncoder().encode(entry.name);
    const local = header(30, LOCAL, entry, name.length);
    const central = header(46, CENTRAL, entry, name.length, offset);
    parts.push(local, name, entry.compressed);
    directory.push(central, name);
    offset += 30 + name.length + entry.compressed.length;
  }
  const length = directory.reduce((sum, part) => sum + part.length, 0);
  const end = new DataView(new ArrayBuffer(22));
  end.setUint32(0, END, true);
  end.setUint16(8, entries.length, true);
  end.setUint16(10, entries.length, true);
  end.setUint32(12, length, true);
  end.setUint32(16, offset, true);
  return new Uint8Array(await new Blob([...parts, ...directory, end]).arrayBuffer());
}

function header(length, sign, entry, nameLength, offset) {
  const view = new DataView(new ArrayBuffer(length));
  const isCentral = sign === CENTRAL;
  let at = 0;
  const put = (size, value) => {
    if (size === 2) view.setUint16(at, value, true);
    else view.setUint32(at, value >>> 0, true);
    at += size;
  };
  put(4, sign);
  if (isCentral) put(2, entry.system);
  put(2, 20);
  put(2, 0x0800); // Names are UTF-8.
  put(2, entry.method);
  put(2, 0);
  put(2, 0x21); // The first of January 1980: equal packages are equal bytes.
  put(4, entry.crc);
  put(4, entry.compressed.length);
  put(4, entry.size);
  put(2, nameLength);
  put(2, 0);
  if (isCentral) {
    put(2, 0);
    put(2, 0);
    put(2, 0);
    put(4, entry.attributes);
    put(4, offset);
  }
  return new Uint8Array(view.buffer);
}

const TABLE = Uint32Array.from({ length: 256 }, (_, n) => {
  let value = n;
  for (let bit = 0; bit < 8; bit += 1) value = value & 1 ? 0xedb88320 ^ (value >>> 1) : value >>> 1;
  return value;
});

export function crcOf(bytes) {
  let crc = 0xffffffff;
  for (const byte of bytes) crc = TABLE[(crc ^ byte) & 0xff] ^ (crc >>> 8);
  return (crc ^ 0xffffffff) >>> 0;
}

export function toBase64(bytes) {
  let text = "";
  for (let at = 0; at < bytes.length; at += 0x8000) text += String.fromCharCode(...bytes.subarray(at, at + 0x8000));
  return btoa(text);
}
