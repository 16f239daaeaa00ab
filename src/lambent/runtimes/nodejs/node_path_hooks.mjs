/* The hook of node_path.cjs for versions of Node that run hooks in a separate thread. */

let parents = [];

export function initialize(data) {
  parents = data.parents;
}

export async function resolve(specifier, context, next) {
  try {
    return await next(specifier, context);
  } catch (error) {
    for (const parentURL of error.code === 'ERR_MODULE_NOT_FOUND' && !/^[./]|^file:/.test(specifier) ? parents : []) {
      try {
        return await next(specifier, { ...context, parentURL });
      } catch (missing) {
        if (missing.code !== 'ERR_MODULE_NOT_FOUND') {
          throw missing;
        }
      }
    }
    throw error;
  }
}
