// `node -r loopback.js server.js`: whatever a server says, it listens on loopback only.
const { Server } = require("net");

const { listen } = Server.prototype;

Server.prototype.listen = function (...given) {
  const [first, second] = given;
  if (first !== null && typeof first === "object") {
    given[0] = { ...first, host: "127.0.0.1" };
  } else if (typeof second === "string") {
    given[1] = "127.0.0.1";
  } else {
    given.splice(1, 0, "127.0.0.1");
  }
  return listen.apply(this, given);
};
