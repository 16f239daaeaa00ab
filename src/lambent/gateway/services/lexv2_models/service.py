"""Amazon Lex V2: what builds bots."""

from lambent.control.lex.room import LexBots
from lambent.gateway.definitions import Coverage, ServiceDefinition
from lambent.gateway.services.lexv2_models.operations import OPERATIONS
from lambent.gateway.services.lexv2_models.permissions import (
    DIFFERENCES,
    PERMISSIONS,
    RESOURCE_NAMES,
)

_LOCALE = (
    *("voiceSettings", "generativeAISettings", "speechDetectionSensitivity"),
    *("unifiedSpeechSettings", "audioFillerSettings", "speechRecognitionSettings"),
    "speakerDiarizationSettings",
)

LEXV2_MODELS: ServiceDefinition[LexBots] = ServiceDefinition(
    name="lexv2-models",
    operations=OPERATIONS,
    permissions=PERMISSIONS,
    failure_code="InternalServerException",
    unoffered_code="ValidationException",
    differences=DIFFERENCES,
    resource_names=RESOURCE_NAMES,
    coverage=Coverage(
        note="Bots that match the utterances they have, without machine learning: [bots](../lex.md)"
        " describes them. Speech, analytics, test sets, custom vocabularies, generated bots,"
        " networks, replicas and resource policies are not offered.",
        stored={
            "CreateBot": ("roleArn", "dataPrivacy", "errorLogSettings"),
            "UpdateBot": ("roleArn", "dataPrivacy", "errorLogSettings"),
            "CreateBotLocale": _LOCALE,
            "UpdateBotLocale": _LOCALE,
            "CreateSlot": ("obfuscationSetting",),
            "UpdateSlot": ("obfuscationSetting",),
        },
        refused={
            "CreateBot": ("botMembers",),
            "UpdateBot": ("botMembers",),
            "CreateBotAlias": ("conversationLogSettings", "sentimentAnalysisSettings"),
            "UpdateBotAlias": ("conversationLogSettings", "sentimentAnalysisSettings"),
            "CreateIntent": (
                *("kendraConfiguration", "qnAIntentConfiguration"),
                "qInConnectIntentConfiguration",
            ),
            "CreateSlot": ("subSlotSetting",),
            "CreateSlotType": ("externalSourceSetting", "compositeSlotTypeSetting"),
            "StartImport": ("filePassword",),
            "CreateExport": ("filePassword",),
        },
    ),
)
