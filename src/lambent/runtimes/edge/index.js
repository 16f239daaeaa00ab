/*
 * Runs a CloudFront function: a script with a function `handler`, in a context that has no
 * modules, no network, no files, no timers and no evaluation of text.
 *
 * Each call gets a context of its own, which is made ahead. Only strings cross its border, in
 * both directions, so that nothing of this process can be reached from inside.
 */
'use strict';

const crypto = require('node:crypto');
const vm = require('node:vm');

const code = Buffer.from(process.env.LAMBENT_EDGE_CODE, 'base64').toString();
delete process.env.LAMBENT_EDGE_CODE;

const CUT_MS = 500;
const LOG_CHARACTERS_MAX = 10240;
const ALGORITHMS = new Set(['md5', 'sha1', 'sha256']);

/** Returns base64; an empty string for what cannot be computed. */
function digest(algorithm, key, data) {
  try {
    if (!ALGORITHMS.has(algorithm) || typeof data !== 'string') {
      return '';
    }
    const hash =
      typeof key === 'string'
        ? crypto.createHmac(algorithm, Buffer.from(key, 'latin1'))
        : crypto.createHash(algorithm);
    return hash.update(Buffer.from(data, 'latin1')).digest('base64');
  } catch {
    return '';
  }
}
Object.setPrototypeOf(digest, null);

const prelude = new vm.Script(`(function (digest) {
  'use strict';
  const { parse, stringify } = JSON;
  const text = String;
  const state = { output: '', error: '', lines: [], size: 0 };
  const show = (value) => {
    if (typeof value === 'string') return value;
    try { return stringify(value) ?? text(value); } catch (error) { return text(value); }
  };
  const log = (...values) => {
    const line = values.map(show).join(' ').slice(0, ${LOG_CHARACTERS_MAX});
    state.size += line.length + 1;
    if (state.size <= ${LOG_CHARACTERS_MAX}) state.lines.push(line);
  };
  for (const name of ['SharedArrayBuffer', 'Atomics', 'WebAssembly', 'eval', 'Function']) {
    delete globalThis[name];
  }
  globalThis.console = { log, error: log, warn: log, info: log, debug: log };

  const ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/';
  const utf8 = (value) => unescape(encodeURIComponent(text(value)));
  globalThis.btoa = (value) => {
    const bytes = text(value);
    let made = '';
    for (let at = 0; at < bytes.length; at += 3) {
      const [a, b, c] = [0, 1, 2].map((more) => bytes.charCodeAt(at + more));
      if (a > 255 || b > 255 || c > 255) throw new TypeError('invalid character');
      made += ALPHABET[a >> 2] + ALPHABET[((a & 3) << 4) | (b >> 4)];
      made += at + 1 < bytes.length ? ALPHABET[((b & 15) << 2) | (c >> 6)] : '=';
      made += at + 2 < bytes.length ? ALPHABET[c & 63] : '=';
    }
    return made;
  };
  globalThis.atob = (value) => {
    const clean = text(value).replace(/[\\t\\n\\f\\r ]/g, '').replace(/={1,2}$/, '');
    let made = '', bits = 0, held = 0;
    for (const letter of clean) {
      const found = ALPHABET.indexOf(letter);
      if (found < 0) throw new TypeError('invalid character');
      held = (held << 6) | found;
      bits += 6;
      if (bits >= 8) {
        bits -= 8;
        made += text.fromCharCode((held >> bits) & 255);
      }
    }
    return made;
  };
  const hashing = (algorithm, key) => {
    let data = '';
    return {
      update(more) { data += utf8(more); return this; },
      digest(encoding) {
        const base64 = digest(algorithm, key === undefined ? null : utf8(key), data);
        if (!base64) throw new TypeError('not supported algorithm: ' + algorithm);
        if (encoding === 'base64') return base64;
        if (encoding === 'base64url') {
          return base64.replace(/\\+/g, '-').replace(/\\//g, '_').replace(/=+$/, '');
        }
        const bytes = [...atob(base64)].map((letter) => letter.charCodeAt(0));
        if (encoding === 'hex') {
          return bytes.map((byte) => byte.toString(16).padStart(2, '0')).join('');
        }
        throw new TypeError('the encoding must be hex, base64 or base64url');
      },
    };
  };
  const modules = {
    crypto: {
      createHash: (algorithm) => hashing(algorithm),
      createHmac: (algorithm, key) => hashing(algorithm, key),
    },
    querystring: {
      escape: encodeURIComponent,
      unescape: decodeURIComponent,
      parse(query, separator = '&', equals = '=') {
        const found = {};
        for (const part of text(query).split(separator)) {
          if (!part) continue;
          const at = part.indexOf(equals);
          const plain = (value) => decodeURIComponent(value.replace(/\\+/g, ' '));
          const name = plain(at < 0 ? part : part.slice(0, at));
          const value = at < 0 ? '' : plain(part.slice(at + equals.length));
          found[name] = name in found ? [].concat(found[name], value) : value;
        }
        return found;
      },
      stringify(object, separator = '&', equals = '=') {
        return Object.entries(object)
          .flatMap(([name, values]) =>
            [].concat(values).map(
              (value) => encodeURIComponent(name) + equals + encodeURIComponent(value),
            ),
          )
          .join(separator);
      },
    },
  };
  globalThis.require = (name) => {
    if (!Object.hasOwn(modules, name)) throw new Error('Cannot find module "' + name + '"');
    return modules[name];
  };
  const explain = (error) => {
    try {
      return error instanceof Error ? error.name + ': ' + error.message : text(error);
    } catch (other) {
      return 'Error';
    }
  };
  return {
    start(handler, event) {
      new Promise((resolve) => {
        if (!handler) throw new Error('There is no function handler');
        resolve(handler(parse(event)));
      }).then(
        (output) => { state.output = stringify(output) ?? 'null'; },
      ).catch((error) => { state.error = explain(error) || 'Error'; });
    },
    finish() {
      return stringify(state);
    },
  };
})`);

let script;
let fault = '';
try {
  script = new vm.Script(code, { filename: 'function.js' });
} catch (error) {
  fault = `${error.name}: ${error.message}`;
}

function prepare() {
  const context = vm.createContext(Object.create(null), {
    codeGeneration: { strings: false, wasm: false },
    microtaskMode: 'afterEvaluate',
  });
  return { context, guest: prelude.runInContext(context)(digest) };
}

let next = prepare();
const options = { timeout: CUT_MS };
const finish = new vm.Script('__guest.finish()');

exports.handler = async (event) => {
  if (fault) {
    return { output: '', error: fault, lines: [], ms: 0 };
  }
  const { context, guest } = next ?? prepare();
  next = null;
  const started = process.cpuUsage();
  let found = { output: '', error: '', lines: [] };
  try {
    script.runInContext(context, options);
    context.__guest = guest;
    const text = JSON.stringify(JSON.stringify(event));
    // Promises are settled within the time, too: see `microtaskMode`.
    new vm.Script(
      `__guest.start(typeof handler === 'function' ? handler : undefined, ${text})`,
    ).runInContext(context, options);
    found = JSON.parse(String(finish.runInContext(context, options)));
    if (!found.error && !found.output) {
      found.error = 'The function did not return a value';
    }
  } catch (error) {
    found.error =
      error?.code === 'ERR_SCRIPT_EXECUTION_TIMEOUT'
        ? 'The function exceeded the time that it may take'
        : `${error?.name}: ${error?.message}`;
  }
  const used = process.cpuUsage(started);
  setImmediate(() => {
    next ??= prepare();
  });
  for (const line of found.lines) {
    console.log(line);
  }
  return {
    output: String(found.output ?? ''),
    error: String(found.error ?? ''),
    lines: found.lines.map(String),
    ms: (used.user + used.system) / 1000,
  };
};
