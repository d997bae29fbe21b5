/** Triggers that are requests to a service. */
import { startAction, traceIdOf } from "../action";
import { NoAnswer, pathOf, type Gateway, type Request } from "../gateway";
import type { Outcome } from "./log";
import type { Endpoint } from "./manifest";
import type { Trigger } from "./trigger";

/** The trigger of a debug endpoint. */
export function endpointTrigger(gateway: Gateway, service: string, endpoint: Endpoint): Trigger {
  const { method, path, demonstrates, status } = endpoint;
  const name = `${service} ${method} ${path}`;
  const run = () => call(gateway, name, pathOf(service, path), { method }, status);
  return { name, label: `${method} ${path}`, about: demonstrates, announced: String(status), run };
}

/** Requests that every service must refuse, and that must not look like errors in Sentry. */
export function refusals(gateway: Gateway, service: string, endpoints: readonly Endpoint[]): Trigger[] {
  const unknown = `safety ${service} unknown-endpoint`;
  const triggers: Trigger[] = [
    {
      name: unknown,
      label: "unknown-endpoint",
      about: "An endpoint that does not exist is not found, and that is no error",
      announced: "404",
      run: () => call(gateway, unknown, pathOf(service, "/debug/no-such-endpoint"), {}, 404),
    },
  ];
  const first = endpoints[0];
  if (first !== undefined) {
    const malformed = `safety ${service} malformed-user`;
    const request = { method: first.method, headers: { "X-Debug-User": "<script>" } };
    triggers.push({
      name: malformed,
      label: "malformed-user",
      about: `A user that is no identifier is refused before ${first.path} does anything`,
      announced: "400",
      run: () => call(gateway, malformed, pathOf(service, first.path), request, 400),
    });
  }
  return triggers;
}

async function call(gateway: Gateway, name: string, path: string, request: Request, announced: number): Promise<Outcome> {
  const span = startAction(name, { "debug.scenario": name });
  const traceId = traceIdOf(span);
  try {
    const { status, eventId } = await gateway.askDebug(path, request, span);
    return { asAnnounced: status === announced, text: `HTTP ${status}`, eventId, traceId };
  } catch (problem) {
    if (!(problem instanceof NoAnswer)) throw problem;
    return { asAnnounced: false, text: problem.message, eventId: null, traceId };
  } finally {
    span.end();
  }
}
