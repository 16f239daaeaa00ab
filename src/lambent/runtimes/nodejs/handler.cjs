/*
 * Finds and loads the function that a handler string names: `directory/file.export.nested`.
 *
 * `file` is tried unchanged, then as .js (a CommonJS or an ES module, as the nearest
 * package.json says), .mjs, .cjs, as a directory, and last as a package.
 */
'use strict';

const fs = require('node:fs');
const path = require('node:path');
const { pathToFileURL } = require('node:url');
const errors = require('./errors.cjs');
const { resolveByNodePath } = require('./node_path.cjs');

async function loadHandler(root, name) {
  if (name.includes('..')) {
    throw new errors.MalformedHandlerName(
      `'${name}' is not a valid handler name. Use absolute paths when specifying root directories` +
        ' in handler names.',
    );
  }
  const base = path.basename(name);
  const directory = name.slice(0, name.length - base.length);
  const dot = base.indexOf('.');
  if (dot < 0) {
    throw new errors.MalformedHandlerName('Bad handler');
  }
  const exported = await load(root, directory, base.slice(0, dot));
  const handler = base
    .slice(dot + 1)
    .split('.')
    .reduce((object, key) => object?.[key], exported);
  if (!handler) {
    throw new errors.HandlerNotFound(`${name} is undefined or not exported`);
  }
  if (typeof handler !== 'function') {
    throw new errors.HandlerNotFound(`${name} is not a function`);
  }
  return handler;
}

async function load(root, directory, module) {
  try {
    return await loadModule(root, directory, module);
  } catch (error) {
    if (error instanceof SyntaxError) {
      throw new errors.UserCodeSyntaxError(error);
    }
    if (error?.code === 'MODULE_NOT_FOUND') {
      throw new errors.ImportModuleError(error);
    }
    throw error;
  }
}

async function loadModule(root, directory, module) {
  const file = path.resolve(root, directory, module);
  resolveByNodePath(root, { forEsModules: false });
  if (isFile(file)) {
    return require(file);
  }
  if (isFile(`${file}.js`)) {
    return isEsModule(file) ? importModule(root, `${file}.js`) : require(`${file}.js`);
  }
  if (isFile(`${file}.mjs`)) {
    return importModule(root, `${file}.mjs`);
  }
  if (isFile(`${file}.cjs`)) {
    return require(`${file}.cjs`);
  }
  if (fs.existsSync(file)) {
    return require(file); // A directory with an index.js or a package.json.
  }
  return require(require.resolve(module, { paths: [root, path.resolve(root, directory)] }));
}

function importModule(root, file) {
  resolveByNodePath(root, { forEsModules: true });
  return import(pathToFileURL(file).href);
}

function isFile(file) {
  return fs.statSync(file, { throwIfNoEntry: false })?.isFile() ?? false;
}

/* Whether the package.json nearest to a .js file makes it an ES module. */
function isEsModule(file) {
  const directory = path.dirname(file);
  if (directory === file || directory.endsWith('/node_modules')) {
    return false;
  }
  const described = path.join(directory, 'package.json');
  if (!isFile(described)) {
    return isEsModule(directory);
  }
  try {
    return JSON.parse(fs.readFileSync(described, 'utf8')).type === 'module';
  } catch (error) {
    console.warn(`${described} cannot be read, it will be ignored for ES module detection purposes.`, error);
    return false;
  }
}

module.exports = { loadHandler };
