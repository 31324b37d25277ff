// Sends with Segment's Node library what its arguments say: host, write key, and how many tracks beside one of each kind.
import { Analytics } from "@segment/analytics-node";

const [host, writeKey, tracks] = process.argv.slice(2);
const analytics = new Analytics({ host, writeKey, flushAt: 10, flushInterval: 50, maxRetries: 4 });
const ada = { anonymousId: "device-1", userId: "ada" };
const errors = [];
analytics.on("error", (error) => errors.push(String(error.reason ?? error.code)));

analytics.identify({ ...ada, traits: { plan: "pro" } });
analytics.track({ ...ada, event: "buy", properties: { price: 12.5 }, timestamp: "2024-01-02T03:04:05.678Z" });
analytics.page({ ...ada, name: "Pricing", properties: { url: "https://shop.example/pricing" } });
analytics.screen({ ...ada, name: "Settings" });
analytics.group({ ...ada, groupId: "acme", traits: { seats: 12 } });
analytics.alias({ previousId: "old", userId: "ada" });
for (let n = 0; n < Number(tracks); n++) analytics.track({ ...ada, event: "look", properties: { n } });
await analytics.closeAndFlush({ timeout: 20000 });
console.log(JSON.stringify(errors));
