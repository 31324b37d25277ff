import type { ServerResponse } from "node:http";
import type { Plugin } from "vite";
import { EVENT_NAMES, eventNames, funnel, META, retention, timeseries } from "./figures.ts";

const PROJECTS = [
  { id: 1, name: "Demo shop", timezone: "Europe/Berlin", week_start: 1 },
  { id: 2, name: "Empty project", timezone: "America/New_York", week_start: 7 },
];
const ANSWERS_OF_KEY: Record<string, (typeof PROJECTS)[number][]> = {
  rk_demo: PROJECTS,
  rk_empty: PROJECTS.slice(1),
  rk_slow: PROJECTS,
  rk_broken: PROJECTS,
  rk_new: PROJECTS,
};

function send(response: ServerResponse, status: number, body: object): void {
  response.statusCode = status;
  response.setHeader("content-type", status < 400 ? "application/json" : "application/problem+json");
  response.end(JSON.stringify(body));
}

const problem = (status: number, code: string, title: string, detail: string) => ({
  type: "about:blank",
  status,
  code,
  title,
  detail,
});

/** Answers in the API's place while the page is developed: `rk_demo`, `rk_empty`, `rk_new`, `rk_slow`, `rk_broken` show its states. */
export function mockApi(): Plugin {
  return {
    name: "mock-api",
    configureServer(server) {
      server.middlewares.use("/v1", (request, response) => {
        const key = (request.headers.authorization ?? "").replace("Bearer ", "");
        const projects = ANSWERS_OF_KEY[key];
        const url = new URL(request.url ?? "/", "http://mock");
        if (projects === undefined) {
          const refusal = "This API key is unknown or revoked. Use a key that `radixinsight` made for the project.";
          return send(response, 401, problem(401, "api_key_invalid", "The API key is not valid", refusal));
        }
        if (url.pathname === "/projects") return send(response, 200, { projects });
        if (key === "rk_slow") return;
        if (key === "rk_broken") {
          const away = "ClickHouse cannot be reached at 127.0.0.1:7103. See `radixinsight status`.";
          return send(response, 503, problem(503, "engine_unavailable", "An engine is away", away));
        }
        if (key === "rk_new") {
          const missing = "fct_events does not exist yet. It is built by the first model run.";
          return send(response, 503, problem(503, "not_modelled_yet", "The data has not been modelled yet", missing));
        }
        const isEmpty = url.pathname.startsWith("/projects/2/");
        const names = isEmpty ? [] : EVENT_NAMES;
        const meta = isEmpty ? { ...META, fresh_until: null } : META;
        const answers: Record<string, () => object> = {
          "event-names": () => eventNames(names),
          timeseries: () => timeseries(url.searchParams, isEmpty),
          funnel: () => funnel(url.searchParams),
          retention: () => retention(url.searchParams, isEmpty),
        };
        const answer = answers[url.pathname.split("/").at(-1) ?? ""];
        if (answer === undefined) return send(response, 404, problem(404, "not_found", "Not found", url.pathname));
        setTimeout(() => send(response, 200, { data: answer(), meta }), 150);
      });
    },
  };
}
