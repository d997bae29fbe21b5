// @ts-check
import * as Sentry from "@sentry/node";

/**
 * Name the event that this request has reported in its answer, if it has reported one. (The SDK gives ids
 * even to events that it has nowhere to send.)
 *
 * @param {import("express").Response} response
 */
export function nameEvent(response) {
  const eventId = Sentry.isEnabled() ? Sentry.lastEventId() : undefined;
  if (eventId !== undefined) {
    response.setHeader("X-Sentry-Event-Id", eventId);
  }
}
