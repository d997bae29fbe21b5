// @ts-check

/** A settlement that is not open: closed already, or never opened. */
export class SettlementNotOpen extends Error {
  name = "SettlementNotOpen";
}

/** Settlements that wait to be closed. */
export class Settlements {
  /** @type {Map<string, number>} amount in cents by settlement */
  #open = new Map();

  /**
   * @param {string} settlementId
   * @param {number} amountCents
   */
  open(settlementId, amountCents) {
    this.#open.set(settlementId, amountCents);
  }

  /**
   * @param {string} settlementId
   * @returns {number} the settled amount in cents
   * @throws {SettlementNotOpen} it is not open
   */
  close(settlementId) {
    const amountCents = this.#open.get(settlementId);
    if (amountCents === undefined) {
      throw new SettlementNotOpen(`settlement ${settlementId} is not open`);
    }
    this.#open.delete(settlementId);
    return amountCents;
  }

  /**
   * Leave the closing to timers.
   *
   * The defect: the retry is started whether or not the closing worked, so it finds the settlement closed. An
   * error in a timer has no request to fail, so it ends the process.
   *
   * @param {string} settlementId
   * @param {number} milliseconds from now
   */
  closeLater(settlementId, milliseconds) {
    setTimeout(() => this.close(settlementId), milliseconds);
    setTimeout(() => this.close(settlementId), milliseconds);
  }
}
