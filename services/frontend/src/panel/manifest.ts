/** The services' own lists of debug endpoints, which the panel is made of. */
import { explain, NoAnswer, pathOf, type Answer, type Gateway } from "../gateway";

/** One line of a manifest. */
export interface Endpoint {
  method: string;
  path: string;
  demonstrates: string;
  status: number;
  group: string;
}

/** A service as it could be asked: with its endpoints, or with the reason why they are not known. */
export type Service =
  | { name: string; endpoints: readonly Endpoint[] }
  | { name: string; problem: string };

/** Ask the gateway for its manifest and its services, and all of those for theirs. */
export async function loadServices(gateway: Gateway): Promise<Service[]> {
  const { service, names } = await askGateway(gateway);
  return [service, ...(await Promise.all(names.map((name) => loadService(gateway, name))))];
}

/** Ask one service for its manifest. */
export async function loadService(gateway: Gateway, name: string): Promise<Service> {
  return readService(name, await answerOf(gateway, name));
}

async function askGateway(gateway: Gateway): Promise<{ service: Service; names: string[] }> {
  const answer = await answerOf(gateway, "gateway");
  const service = readService("gateway", answer);
  const body = answer instanceof NoAnswer ? undefined : (answer.body as { services?: unknown } | undefined);
  const listed = Array.isArray(body?.services) ? body.services : [];
  return { service, names: listed.filter((name): name is string => typeof name === "string") };
}

async function answerOf(gateway: Gateway, name: string): Promise<Answer | NoAnswer> {
  try {
    return await gateway.askDebug(pathOf(name, "/debug"));
  } catch (problem) {
    if (problem instanceof NoAnswer) return problem;
    throw problem;
  }
}

/** Read the answer of `GET /debug`. */
export function readService(name: string, answer: Answer | NoAnswer): Service {
  if (answer instanceof NoAnswer) return { name, problem: answer.message };
  if (answer.status !== 200) return { name, problem: explain(answer) };
  const listed = (answer.body as { endpoints?: unknown } | undefined)?.endpoints;
  if (!Array.isArray(listed) || !listed.every(isEndpoint)) return { name, problem: "its manifest is not understood" };
  return { name, endpoints: listed };
}

function isEndpoint(entry: unknown): entry is Endpoint {
  if (typeof entry !== "object" || entry === null) return false;
  const { method, path, demonstrates, status, group } = entry as Record<string, unknown>;
  return [method, path, demonstrates, group].every((text) => typeof text === "string") && typeof status === "number";
}
