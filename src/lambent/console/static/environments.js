// The execution environments of all nodes.
import { page } from "./api.js";

export function loadEnvironments(signal) {
  return page("/_lambent/environments", { signal });
}
