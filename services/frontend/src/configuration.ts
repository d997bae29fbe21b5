/** What the page's server says at run time, so that one build serves every environment. */

export interface Configuration {
  /** Where telemetry goes; null: nowhere. */
  dsn: string | null;
  release: string | null;
  environment: string | null;
  /** Base URL of the gateway, without a trailing slash. */
  gatewayUrl: string;
  /** Whether the page's server signs tokens for the debug panel. */
  signsTokens: boolean;
}

/**
 * Ask the page's server.
 *
 * @throws {Error} it does not answer, or not with a configuration
 */
export async function loadConfiguration(): Promise<Configuration> {
  const answer = await fetch("/config.json");
  if (!answer.ok) throw new Error(`/config.json answered with status ${answer.status}`);
  return (await answer.json()) as Configuration;
}
