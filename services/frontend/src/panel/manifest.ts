/** The services' own lists of debug endpoints, which the panel is made of. */
import { explain, NoAnswer, pathOf, type Answer } from "../gateway";
import type { Access } from "./access";

const SCOPE = "debug:read";

/** One line of a manifest. */
export interface Endpoint {
  method: string;
  path: string;
  demonstrates: string;
  status: number;
  group: string;
}

/** A service as it could be asked: with its endpoints, or with a sentence that says why they are not known. */
export type Service =
  | { name: string; endpoints: readonly Endpoint[] }
  | { name: string; problem: string };

/** Ask the gateway for its manifest and its services, and all of those for theirs. */
export async function loadServices(access: Access): Promise<Service[]> {
  const answer = await answerOf(access, "gateway");
  const names = namesIn(answer).map((name) => loadService(access, name));
  return [readService("gateway", answer, access), ...(await Promise.all(names))];
}

/** Ask one service for its manifest. */
export async function loadService(access: Access, name: string): Promise<Service> {
  return readService(name, await answerOf(access, name), access);
}

function namesIn(answer: Answer | NoAnswer): string[] {
  const body = answer instanceof NoAnswer ? undefined : (answer.body as { services?: unknown } | undefined);
  const listed = Array.isArray(body?.services) ? body.services : [];
  return listed.filter((name): name is string => typeof name === "string");
}

async function answerOf(access: Access, name: string): Promise<Answer | NoAnswer> {
  try {
    return await access.ask(pathOf(name, "/debug"));
  } catch (problem) {
    if (problem instanceof NoAnswer) return problem;
    throw problem;
  }
}

/** Read the answer of `GET /debug`. */
export function readService(name: string, answer: Answer | NoAnswer, access: Access): Service {
  const unknown = (reason: string) => ({ name, problem: `${name} does not answer: ${reason}.` });
  if (answer instanceof NoAnswer) return unknown(answer.message);
  if (answer.status !== 200) {
    const refused = access.whyRefused(name, answer, SCOPE);
    return refused === undefined ? unknown(explain(answer)) : { name, problem: `${refused} (HTTP ${answer.status})` };
  }
  const listed = (answer.body as { endpoints?: unknown } | undefined)?.endpoints;
  if (!Array.isArray(listed) || !listed.every(isEndpoint)) return unknown("its manifest is not understood");
  return { name, endpoints: listed };
}

function isEndpoint(entry: unknown): entry is Endpoint {
  if (typeof entry !== "object" || entry === null) return false;
  const { method, path, demonstrates, status, group } = entry as Record<string, unknown>;
  return [method, path, demonstrates, group].every((text) => typeof text === "string") && typeof status === "number";
}
