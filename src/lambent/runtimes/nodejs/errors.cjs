/* The runtime's own error types, and errors in the form of the Runtime API and the log. */
'use strict';

const { types } = require('node:util');

function define(type) {
  const defined = class extends Error {};
  defined.prototype.name = `Runtime.${type}`;
  Object.defineProperty(defined, 'name', { value: type });
  return defined;
}

class UnhandledPromiseRejection extends define('UnhandledPromiseRejection') {
  constructor(reason) {
    super(reason);
    this.reason = reason;
  }
}

class NodeJsExit extends define('NodeJsExit') {
  constructor() {
    super(
      'The Lambda runtime client detected an unexpected Node.js exit code. This is most commonly' +
        ' caused by a Promise that was never settled. For more information, see' +
        ' https://nodejs.org/docs/latest/api/process.html#exit-codes',
    );
  }
}

/* Any thrown value, as an Error. */
function asError(thrown) {
  return thrown instanceof Error ? thrown : new Error(thrown);
}

function isErrorLike(value) {
  return ['name', 'message', 'stack'].every((key) => value && value[key] && typeof value[key] === 'string');
}

/* The error that the caller of the function receives. */
function errorDocument(thrown) {
  try {
    if (types.isNativeError(thrown) || isErrorLike(thrown)) {
      return {
        errorType: thrown.name,
        errorMessage: thrown.message,
        trace: thrown.stack.split('\n'),
      };
    }
    return { errorType: typeof thrown, errorMessage: thrown.toString(), trace: [] };
  } catch {
    return {
      errorType: 'handled',
      errorMessage:
        'callback called with Error argument, but there was a problem while retrieving one or' +
        ' more of its message, name, and stack',
    };
  }
}

/* An error in a text log: JSON, including its own properties. */
function errorText(error) {
  const expand = (_, value) =>
    value instanceof Error
      ? {
          errorType: value.name,
          errorMessage: value.message,
          code: value.code,
          ...value,
          stack: typeof value.stack === 'string' ? value.stack.split('\n') : undefined,
        }
      : value;
  try {
    return JSON.stringify(error, expand);
  } catch {
    return JSON.stringify(errorDocument(error));
  }
}

module.exports = {
  ImportModuleError: define('ImportModuleError'),
  HandlerNotFound: define('HandlerNotFound'),
  MalformedHandlerName: define('MalformedHandlerName'),
  UserCodeSyntaxError: define('UserCodeSyntaxError'),
  CallbackHandlerDeprecated: define('CallbackHandlerDeprecated'),
  UnhandledPromiseRejection,
  NodeJsExit,
  asError,
  errorDocument,
  errorText,
};
