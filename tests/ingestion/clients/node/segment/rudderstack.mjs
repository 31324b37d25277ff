// Sends one event of each kind with RudderStack's Node library: its arguments are the host, the write key and whether to pack.
import Analytics from "@rudderstack/rudder-sdk-node";

const [dataPlaneUrl, writeKey, gzip] = process.argv.slice(2);
const errors = [];
const analytics = new Analytics(writeKey, {
  dataPlaneUrl,
  errorHandler: (error) => errors.push(error.response?.status ?? error.code),
  flushAt: 4,
  flushInterval: 50,
  gzip: gzip === "gzip",
  logLevel: "error",
});
const ada = { anonymousId: "device-1", userId: "ada" };

await new Promise((resolve) => {
  let left = 6;
  const done = () => --left === 0 && resolve();
  analytics.identify({ ...ada, traits: { plan: "pro" } }, done);
  analytics.track({ ...ada, event: "buy", properties: { price: 12.5 } }, done);
  analytics.page({ ...ada, name: "Pricing", properties: { url: "https://shop.example/pricing" } }, done);
  analytics.screen({ ...ada, name: "Settings" }, done);
  analytics.group({ ...ada, groupId: "acme", traits: { seats: 12 } }, done);
  analytics.alias({ previousId: "old", userId: "ada" }, done);
});
console.log(JSON.stringify(errors));
