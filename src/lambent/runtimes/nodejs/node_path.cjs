/*
 * Lets ES modules find packages along NODE_PATH, which Node itself does for CommonJS only.
 *
 * Where Node has in-thread hooks (22.15, 23.5 and later) they are always set. Older versions run
 * hooks in a separate thread, which costs 25 ms of every start; there they are set only for
 * an ES module handler, and only if a directory of NODE_PATH would not be found anyway. The
 * sandbox shows the runtime's packages at /var/node_modules, so that leaves layers.
 */
'use strict';

const fs = require('node:fs');
const module_ = require('node:module');
const path = require('node:path');
const { pathToFileURL } = require('node:url');

let isSet = false;

function resolveByNodePath(root, { forEsModules }) {
  if (isSet || (!forEsModules && !module_.registerHooks)) {
    return;
  }
  isSet = true;
  const parents = unreachable(root).map((directory) => pathToFileURL(path.dirname(directory) + path.sep).href);
  if (parents.length === 0) {
    return;
  }
  if (module_.registerHooks) {
    module_.registerHooks({ resolve: resolver(parents) });
  } else {
    const hooks = pathToFileURL(path.join(__dirname, 'node_path_hooks.mjs'));
    module_.register(hooks, { data: { parents } });
  }
}

/* Directories of NODE_PATH in which a module of the function would not look by itself. */
function unreachable(root) {
  const searched = [];
  // A link does not count: Node searches from the real path of a module.
  for (let directory = fs.realpathSync(root); ; directory = path.dirname(directory)) {
    searched.push(identity(path.join(directory, 'node_modules')));
    if (directory === path.dirname(directory)) {
      break;
    }
  }
  return (process.env.NODE_PATH || '')
    .split(path.delimiter)
    .filter((directory) => path.basename(directory) === 'node_modules')
    .filter((directory) => identity(directory) && !searched.includes(identity(directory)));
}

function identity(directory) {
  const found = fs.statSync(directory, { throwIfNoEntry: false });
  return found && `${found.dev}:${found.ino}`;
}

/* A synchronous hook that searches next to each of `parents` for modules that were not found. */
function resolver(parents) {
  return (specifier, context, next) => {
    try {
      return next(specifier, context);
    } catch (error) {
      for (const parentURL of error.code === 'ERR_MODULE_NOT_FOUND' && !/^[./]|^file:/.test(specifier) ? parents : []) {
        try {
          return next(specifier, { ...context, parentURL });
        } catch (missing) {
          if (missing.code !== 'ERR_MODULE_NOT_FOUND') {
            throw missing;
          }
        }
      }
      throw error;
    }
  };
}

module.exports = { resolveByNodePath };
