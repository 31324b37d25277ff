// Sends with Amplitude's Node library what its arguments say: server URL, API key, and what to do.
import * as amplitude from "@amplitude/analytics-node";

const [serverUrl, apiKey, what] = process.argv.slice(2);
const options = { flushIntervalMillis: 50, logLevel: amplitude.Types.LogLevel.None, serverUrl };
const ada = { device_id: "device-1", user_id: "ada" };

const steps = {
  everything: () => [
    amplitude.track("buy", { price: 12.5, tags: ["a"] }, { ...ada, session_id: 1700000000000, time: 1700000001234 }),
    amplitude.track("look", undefined, { device_id: "device-1", groups: { company: "acme" }, insert_id: "look-1" }),
    amplitude.identify(
      new amplitude.Identify().set("plan", "pro").setOnce("first", 1).add("logins", 2).append("tags", "x"),
      ada,
    ),
    amplitude.groupIdentify("company", ["acme", "umbrella"], new amplitude.Identify().set("seats", 12)),
    amplitude.setGroup("company", "acme", ada),
    amplitude.revenue(new amplitude.Revenue().setPrice(9.99).setQuantity(3).setProductId("A-17"), ada),
    amplitude.track("nobody", undefined, { device_id: "null" }),
  ],
  many: () => Array.from({ length: 40 }, (_, n) => amplitude.track("buy", { n, text: "x".repeat(500) }, ada)),
  one: () => [amplitude.track("buy", undefined, ada)],
};

await amplitude.init(apiKey, options).promise;
const results = await Promise.all(steps[what]().map((sent) => sent.promise));
console.log(JSON.stringify(results.map(({ code, message }) => ({ code, message }))));
