/** Triggers that are requests to a service. */
import type { Span } from "@sentry/browser";
import { startAction, traceIdOf } from "../action";
import { NoAnswer, pathOf, type Answer } from "../gateway";
import type { Access } from "./access";
import { forgedToken } from "./forged-token";
import type { Outcome } from "./log";
import type { Endpoint } from "./manifest";
import type { Trigger } from "./trigger";

/** The trigger of a debug endpoint. */
export function endpointTrigger(access: Access, service: string, endpoint: Endpoint): Trigger {
  const { method, path, demonstrates, status } = endpoint;
  const ask: Ask = (span) => access.ask(pathOf(service, path), { method }, span);
  const why = (answer: Answer) => access.whyRefused(service, answer, scopeOf(endpoint));
  const name = `${service} ${method} ${path}`;
  const run = () => call(name, status, ask, why);
  return { name, label: `${method} ${path}`, about: demonstrates, announced: String(status), run };
}

/** Requests that every service must refuse, and that must not look like errors in Sentry. */
export function refusals(access: Access, service: string, endpoints: readonly Endpoint[]): Trigger[] {
  const manifest = pathOf(service, "/debug");
  const why = (answer: Answer) => access.whyRefused(service, answer, "debug:read");
  const refusal = (label: string, status: number, about: string, ask: Ask): Trigger => {
    const name = `safety ${service} ${label}`;
    return { name, label, about, announced: String(status), run: () => call(name, status, ask, why) };
  };
  const triggers = [
    refusal("without-token", 401, "Whoever shows no token is not told what there is", (span) =>
      access.gateway.ask(manifest, {}, span),
    ),
    refusal("wrong-token", 401, "A token that nobody has signed opens nothing", (span) =>
      access.gateway.ask(manifest, { headers: { Authorization: `Bearer ${forgedToken()}` } }, span),
    ),
    refusal("unknown-endpoint", 404, "An endpoint that does not exist is not found, and that is no error", (span) =>
      access.ask(pathOf(service, "/debug/no-such-endpoint"), {}, span),
    ),
  ];
  const first = endpoints[0];
  if (first !== undefined) {
    const { method, path } = first;
    const request = { method, headers: { "X-Debug-User": "<script>" } };
    const about = `A user that is no identifier is refused before ${path} does anything`;
    triggers.push(refusal("malformed-user", 400, about, (span) => access.ask(pathOf(service, path), request, span)));
  }
  return triggers;
}

type Ask = (span: Span) => Promise<Answer>;

/** The scope that opens an endpoint's group. */
function scopeOf({ group }: Endpoint): string {
  return group === "load" ? "debug:load" : "debug:crash";
}

async function call(
  name: string,
  announced: number,
  ask: Ask,
  whyRefused: (answer: Answer) => string | undefined,
): Promise<Outcome> {
  const span = startAction(name, { "debug.scenario": name });
  const traceId = traceIdOf(span);
  try {
    const answer = await ask(span);
    const asAnnounced = answer.status === announced;
    const why = asAnnounced ? undefined : whyRefused(answer);
    const text = `HTTP ${answer.status}${why === undefined ? "" : `: ${why}`}`;
    return { asAnnounced, text, eventId: answer.eventId, traceId };
  } catch (problem) {
    if (!(problem instanceof NoAnswer)) throw problem;
    return { asAnnounced: false, text: problem.message, eventId: null, traceId };
  } finally {
    span.end();
  }
}
