"""The SDK is started in a wrong way, or not at all."""

from __future__ import annotations

from tests.sabotage.sabotage import Patch, Sabotage, Witness

GAME_CRASH = ("test_game_engine.test_crash",)
ANALYTICS_CRASH = ("test_analytics.test_crash",)
PAYMENT_CRASH = ("test_payment.test_crash",)

WHY_DROPPED = "the scenario misses its event, and the SDK's report about the whole run says why there is none"
SENT_ELSEWHERE = "the scenario misses the service in its trace, and the run has an error that is in no scenario's"

STARTING = (
    Sabotage(
        name="SDK not initialised (Python)",
        deed="A refactoring lost the call of sentry_sdk.init().",
        patches=(Patch("game-engine", "starting.not_initialised"),),
        scenarios=GAME_CRASH,
        witness=Witness.CHECK,
        finding="trace-connected.not-reached",
    ),
    Sabotage(
        name="SDK not initialised (Node)",
        deed="Sentry.init() is behind a condition that no longer holds.",
        patches=(Patch("payment", "init.notInitialised"),),
        scenarios=PAYMENT_CRASH,
        witness=Witness.CHECK,
        finding="trace-connected.not-reached",
    ),
    Sabotage(
        name="DSN of a host that is gone",
        deed="SENTRY_DSN still names the Sentry server that was shut down.",
        patches=(Patch("analytics", environment={"SENTRY_DSN": "http://0123456789abcdef@127.0.0.1:9/1"}),),
        scenarios=ANALYTICS_CRASH,
        witness=Witness.CHECK,
        finding="trace-connected.not-reached",
    ),
    Sabotage(
        name="DSN with a revoked key",
        deed="The key in the DSN was revoked, and nobody looks at Sentry's answers.",
        patches=(Patch("payment", "init.keyOfAnotherProject"),),
        scenarios=PAYMENT_CRASH,
        witness=Witness.RUN_CHECK,
        finding="protocol.refused",
        consequences={"trace-connected.not-reached": "what is refused arrives in no scenario"},
    ),
    Sabotage(
        name="before_send returns nothing",
        deed="A before_send changes the event and forgets to return it.",
        patches=(Patch("game-engine", "starting.before_send_returns_nothing"),),
        scenarios=GAME_CRASH,
        witness=Witness.RUN_CHECK,
        finding="nothing-dropped.before-send",
        consequences={"response-consistent.unreported": WHY_DROPPED},
    ),
    Sabotage(
        name="beforeSend returns nothing",
        deed="A beforeSend changes the event and forgets to return it.",
        patches=(Patch("payment", "init.beforeSendReturnsNothing"),),
        scenarios=PAYMENT_CRASH,
        witness=Witness.RUN_CHECK,
        finding="nothing-dropped.before-send",
        consequences={"response-consistent.unreported": WHY_DROPPED},
    ),
    Sabotage(
        name="before_send raises",
        deed="A before_send takes it for granted that every event has an exception; messages have none.",
        patches=(Patch("game-engine", "starting.before_send_raises"),),
        scenarios=("test_game_engine.test_memory_leak",),
        witness=Witness.RUN_CHECK,
        finding="nothing-dropped.callback-error",
    ),
    Sabotage(
        name="beforeSend throws",
        deed="A beforeSend reads a part of the request's body that a GET does not have.",
        patches=(Patch("payment", "init.beforeSendThrows"),),
        scenarios=PAYMENT_CRASH,
        witness=Witness.RUN_CHECK,
        finding="nothing-dropped.callback-error",
        consequences={"response-consistent.unreported": WHY_DROPPED},
    ),
    Sabotage(
        name="errors sampled out",
        deed="Somebody took sample_rate, which is for errors, for the rate of traces.",
        patches=(Patch("game-engine", "starting.errors_sampled_out"),),
        scenarios=GAME_CRASH,
        witness=Witness.RUN_CHECK,
        finding="nothing-dropped.sample-rate",
        consequences={"response-consistent.unreported": WHY_DROPPED},
    ),
    Sabotage(
        name="ignore_errors too broad",
        deed="A class was ignored to be rid of one error, and its subclasses went along.",
        patches=(Patch("game-engine", "starting.errors_ignored"),),
        scenarios=GAME_CRASH,
        witness=Witness.CHECK,
        finding="response-consistent.unreported",
    ),
    Sabotage(
        name="ignoreErrors too broad",
        deed="A pattern was ignored to be rid of one error, and it fits others.",
        patches=(Patch("payment", "init.ignoredTooBroadly"),),
        scenarios=PAYMENT_CRASH,
        witness=Witness.RUN_CHECK,
        finding="nothing-dropped.event-processor",
        consequences={"response-consistent.unreported": WHY_DROPPED},
    ),
    Sabotage(
        name="release missing (Python)",
        deed="The deployment does not set SENTRY_RELEASE.",
        patches=(Patch("game-engine", environment={"SENTRY_RELEASE": ""}),),
        scenarios=GAME_CRASH,
        witness=Witness.CHECK,
        finding="identity.release",
    ),
    Sabotage(
        name="release missing (Node)",
        deed="The deployment does not set SENTRY_RELEASE.",
        patches=(Patch("payment", environment={"SENTRY_RELEASE": ""}),),
        scenarios=PAYMENT_CRASH,
        witness=Witness.CHECK,
        finding="identity.release",
    ),
    Sabotage(
        name="environment hard-coded",
        deed="An init() copied from production says environment='production' everywhere.",
        patches=(Patch("analytics", "starting.environment_hard_coded"),),
        scenarios=ANALYTICS_CRASH,
        witness=Witness.CHECK,
        finding="identity.environment",
    ),
    Sabotage(
        name="framework integration left out",
        deed="The list of integrations was tidied up, and Tornado's was no longer in it.",
        patches=(Patch("game-engine", "starting.framework_left_out"),),
        scenarios=GAME_CRASH,
        witness=Witness.CHECK,
        finding="trace-connected.not-reached",
        consequences={"trace-connected.orphan": SENT_ELSEWHERE},
    ),
    Sabotage(
        name="own code counted as a library",
        deed="in_app_exclude names the application's own package.",
        patches=(Patch("game-engine", "starting.own_code_excluded"),),
        scenarios=GAME_CRASH,
        witness=Witness.CHECK,
        finding="stacktrace-usable.no-in-app",
    ),
    Sabotage(
        name="no source lines (Python)",
        deed="include_source_context was switched off to make events smaller.",
        patches=(Patch("game-engine", "starting.source_not_read"),),
        scenarios=GAME_CRASH,
        witness=Witness.CHECK,
        finding="stacktrace-usable.no-source",
    ),
    Sabotage(
        name="no source lines (Node)",
        deed="contextLinesIntegration is not in the list of integrations.",
        patches=(Patch("payment", "init.sourceNotRead"),),
        scenarios=PAYMENT_CRASH,
        witness=Witness.RUN_CHECK,
        finding="stacktrace-usable.no-source",
    ),
)
