"""Secrets leave the service."""

from __future__ import annotations

from tests.sabotage.entries.starting import ANALYTICS_CRASH, GAME_CRASH, PAYMENT_CRASH
from tests.sabotage.sabotage import Patch, Sabotage, Witness

LEAKING = (
    Sabotage(
        name="personal data sent (Python)",
        deed="send_default_pii is on, and the scrubbing that hid too much was taken out.",
        patches=(Patch("analytics", "starting.personal_data_sent"),),
        scenarios=ANALYTICS_CRASH,
        witness=Witness.CHECK,
        finding="secrets.known.*",
    ),
    Sabotage(
        name="personal data sent (Node)",
        deed="dataCollection is opened for headers, cookies and bodies.",
        patches=(Patch("payment", "init.everythingCollected"),),
        scenarios=PAYMENT_CRASH,
        witness=Witness.CHECK,
        finding="secrets.known.*",
    ),
    Sabotage(
        name="secret in a local variable",
        deed="A handler keeps the X-Api-Key header in a variable with a harmless name.",
        patches=(Patch("game-engine", "leaking.in_local_variable"),),
        scenarios=GAME_CRASH,
        witness=Witness.CHECK,
        finding="secrets.known.the-triggers-api-key",
    ),
    Sabotage(
        name="secret in a log",
        deed="A structured log says who calls, by the X-Api-Key header.",
        patches=(Patch("game-engine", "leaking.in_log"),),
        scenarios=GAME_CRASH,
        witness=Witness.CHECK,
        finding="secrets.known.the-triggers-api-key",
    ),
    Sabotage(
        name="secret in a span (Python)",
        deed="The X-Api-Key header is recorded as data of a span.",
        patches=(Patch("game-engine", "leaking.in_span"),),
        scenarios=GAME_CRASH,
        witness=Witness.CHECK,
        finding="secrets.known.the-triggers-api-key",
    ),
    Sabotage(
        name="secret in a span (Node)",
        deed="The X-Api-Key header is recorded as an attribute of a span.",
        patches=(Patch("payment", "endpoints.secretInSpan"),),
        scenarios=PAYMENT_CRASH,
        witness=Witness.CHECK,
        finding="secrets.known.the-triggers-api-key",
    ),
    Sabotage(
        name="secret in an error's text",
        deed="An error says by whose e-mail address it was asked for.",
        patches=(Patch("game-engine", "leaking.in_error_text"),),
        scenarios=GAME_CRASH,
        witness=Witness.CHECK,
        finding="secrets.known.the-triggers-e-mail-address",
    ),
    Sabotage(
        name="password in a URL",
        deed="A breadcrumb names the database by its URL, password included.",
        patches=(Patch("game-engine", "leaking.in_breadcrumb"),),
        scenarios=GAME_CRASH,
        witness=Witness.CHECK,
        finding="secrets.url-password",
    ),
    Sabotage(
        name="API key in a breadcrumb",
        deed="A breadcrumb tells with which key the provider was called.",
        patches=(Patch("payment", "endpoints.secretInBreadcrumb"),),
        scenarios=PAYMENT_CRASH,
        witness=Witness.CHECK,
        finding="secrets.known.payment-provider-api-key-of-payment",
    ),
    Sabotage(
        name="environment attached",
        deed="All environment variables are attached as a file to find configuration errors sooner.",
        patches=(Patch("analytics", "leaking.in_attachment"),),
        scenarios=ANALYTICS_CRASH,
        witness=Witness.CHECK,
        finding="secrets.known.*",
    ),
    Sabotage(
        name="card number in a tag",
        deed="A tag tells by which card was paid.",
        patches=(Patch("payment", "endpoints.cardNumberInTag"),),
        scenarios=PAYMENT_CRASH,
        witness=Witness.CHECK,
        finding="secrets.card-number",
    ),
)
