// A hostile function for Node.js: what it has open, and what the host's tools can do for it.
import { spawn, spawnSync } from "node:child_process";
import { readdirSync, readlinkSync } from "node:fs";

const kept = [];

const actions = {
  here: () => process.pid,
  descriptors: () => readdirSync("/proc/self/fd").length,
  tools: () =>
    [
      ["unshare", "-Ur", "true"],
      ["unshare", "-m", "true"],
      ["nsenter", "-t", "1", "-m", "true"],
      ["mount", "-t", "tmpfs", "none", "/tmp"],
      ["umount", "-l", "/proc"],
      ["chroot", "/tmp", "true"],
      ["su", "-c", "true"],
      ["swapoff", "-a"],
      ["hostname", "hostile"],
      ["date", "-s", "+3 seconds"],
    ].map(([name, ...rest]) => [name, spawnSync(name, rest, { timeout: 5000 }).status]),
  stay: () => {
    kept.push(spawn("/usr/bin/sleep", ["1000"], { detached: true, stdio: "ignore" }));
    return kept.length;
  },
};

export const handler = async (event) => ({
  box: readlinkSync("/proc/self/ns/pid"),
  result: actions[event.do](),
});
