// @ts-check

/** A request that asks for something outside of what is offered; its message is for the caller. */
export class BadRequest extends Error {
  name = "BadRequest";
}
