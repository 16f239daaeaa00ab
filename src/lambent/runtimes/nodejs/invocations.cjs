/*
 * Runs invocations one after another. Each way in which a handler can end becomes one response.
 *
 * A promise responds when it settles. A callback responds when the event loop has nothing left to
 * do, unless `callbackWaitsForEmptyEventLoop` is false. A handler that ends in neither way
 * responds when the event loop is empty: null, or Runtime.NodeJsExit if it was async.
 */
'use strict';

const logging = require('./logging.cjs');
const { NodeJsExit, CallbackHandlerDeprecated } = require('./errors.cjs');
const { ResponseStream, isStreaming } = require('./streaming.cjs');

const LAST_WITH_CALLBACKS = 22;

class Invocations {
  #api;
  #handler;
  #isAsync = false;
  #takesCallback = true;
  #isStreaming = false;
  /* The state of the loop: `init`, `waiting`, `busy` or `answering`. */
  #state = 'init';
  /* Headers of the last event. */
  #headers = null;
  /* The response being sent. */
  #sent = null;
  #onIdle = null;

  constructor(api) {
    this.#api = api;
    process.on('beforeExit', () => {
      const onIdle = this.#onIdle;
      this.#onIdle = null;
      onIdle?.();
    });
  }

  run(handler) {
    this.#handler = handler;
    this.#isAsync = handler.constructor?.name === 'AsyncFunction';
    this.#takesCallback = runtimeMajor() <= LAST_WITH_CALLBACKS;
    this.#isStreaming = isStreaming(handler);
    if (!this.#isStreaming && !this.#takesCallback && handler.length >= 3) {
      throw new CallbackHandlerDeprecated(
        'ERROR: AWS Lambda has removed support for callback-based function handlers starting with' +
          ' Node.js 24. You need to modify this function to use a supported handler signature to use' +
          ' Node.js 24 or later. For more information see' +
          ' https://docs.aws.amazon.com/lambda/latest/dg/nodejs-handler.html.',
      );
    }
    this.#takeNext();
  }

  /* Reports an error that ends the process: of the start or of the current invocation. Between invocations there is no request to report to. */
  async reportFatal(thrown) {
    this.#onIdle = null;
    if (this.#state === 'init') {
      await this.#api.failInit(thrown);
    } else if (this.#state === 'busy') {
      await this.#api.fail(this.#headers, thrown);
    } else if (this.#state === 'answering') {
      await this.#sent;
    }
  }

  async #takeNext() {
    this.#state = 'waiting';
    const { headers, body } = await this.#api.next();
    this.#state = 'busy';
    this.#headers = headers;
    logging.current.requestId = headers['lambda-runtime-aws-request-id'];
    const trace = headers['lambda-runtime-trace-id'];
    if (trace) {
      process.env._X_AMZN_TRACE_ID = trace;
    } else {
      delete process.env._X_AMZN_TRACE_ID;
    }
    if (this.#isStreaming) {
      this.#stream(headers, body);
    } else {
      this.#invoke(headers, body);
    }
  }

  /* A handler that writes its response: over when it has returned and the stream ended. One that
     leaves the stream open when nothing is left to do has ended it. */
  async #stream(headers, body) {
    const response = new ResponseStream((contentType) => this.#api.stream(headers, contentType));
    this.#onIdle = () => response.end();
    const ended = new Promise((resolve, reject) => {
      response.once('finish', resolve);
      response.once('error', reject);
    });
    ended.catch(() => {});
    try {
      await this.#handler(JSON.parse(body), response, makeContext(headers));
      await ended;
    } catch (thrown) {
      if (!response.hasBegun) {
        this.#fail(headers, thrown);
        return;
      }
      logging.logError('Invoke Error', thrown);
      response.fail(thrown);
    }
    this.#onIdle = null;
    this.#finish(response.taken);
  }

  #invoke(headers, body) {
    let isOver = false;
    const once = (end) => (value) => {
      if (!isOver) {
        isOver = true;
        end(value);
      }
    };
    const succeed = once((result) => this.#respond(headers, result));
    const fail = once((thrown) => this.#fail(headers, thrown));
    const done = (thrown, result) => (thrown === undefined || thrown === null ? succeed(result) : fail(thrown));
    const context = makeContext(headers);
    const callback = (thrown, result) => {
      const waits = context.callbackWaitsForEmptyEventLoop;
      if (thrown !== undefined && thrown !== null) {
        fail(thrown);
      } else if (!waits) {
        succeed(result);
      } else if (!isOver) {
        isOver = true;
        this.#onIdle = () => this.#respond(headers, result);
      }
    };
    this.#onIdle = () => (this.#isAsync ? fail(new NodeJsExit()) : succeed(null));
    try {
      if (!this.#takesCallback) {
        Promise.resolve(this.#handler(JSON.parse(body), context)).then(succeed, fail);
        return;
      }
      Object.assign(context, {
        succeed,
        done,
        fail: (thrown) => fail(thrown === undefined || thrown === null ? 'handled' : thrown),
      });
      const result = this.#handler(JSON.parse(body), context, callback);
      if (typeof result?.then === 'function') {
        result.then(succeed, context.fail);
      }
    } catch (thrown) {
      fail(thrown);
    }
  }

  #respond(headers, result) {
    this.#onIdle = null;
    let text;
    try {
      text = JSON.stringify(result) ?? 'null';
    } catch {
      this.#fail(headers, new Error('Unable to stringify response body'));
      return;
    }
    this.#finish(this.#api.respond(headers, text));
  }

  #fail(headers, thrown) {
    this.#onIdle = null;
    logging.logError('Invoke Error', thrown);
    this.#finish(this.#api.fail(headers, thrown));
  }

  async #finish(sent) {
    this.#state = 'answering';
    this.#sent = sent;
    await sent;
    this.#takeNext();
  }
}

/* The major version of the runtime identifier; the interpreter may be newer. */
function runtimeMajor() {
  const named = /nodejs(\d+)/.exec(process.env.AWS_EXECUTION_ENV || '');
  return Number(named ? named[1] : process.versions.node.split('.')[0]);
}

function parse(text) {
  return text ? JSON.parse(text) : undefined;
}

function makeContext(headers) {
  const environment = process.env;
  const deadline = Number(headers['lambda-runtime-deadline-ms']);
  return {
    callbackWaitsForEmptyEventLoop: true,
    functionVersion: environment.AWS_LAMBDA_FUNCTION_VERSION,
    functionName: environment.AWS_LAMBDA_FUNCTION_NAME,
    memoryLimitInMB: environment.AWS_LAMBDA_FUNCTION_MEMORY_SIZE,
    logGroupName: environment.AWS_LAMBDA_LOG_GROUP_NAME,
    logStreamName: environment.AWS_LAMBDA_LOG_STREAM_NAME,
    clientContext: parse(headers['lambda-runtime-client-context']),
    identity: parse(headers['lambda-runtime-cognito-identity']),
    invokedFunctionArn: headers['lambda-runtime-invoked-function-arn'],
    awsRequestId: headers['lambda-runtime-aws-request-id'],
    tenantId: headers['lambda-runtime-aws-tenant-id'],
    getRemainingTimeInMillis: () => deadline - Date.now(),
  };
}

module.exports = { Invocations };
