"""How the permissions of Lambda's operations differ from AWS's list, and how policies name its
resources: for docs/reference/permissions.md."""

from lambent.gateway.permissions.needs import Difference

_VERSIONS = (
    "AWS's list has functions for these; its guide says that versions and aliases are asked for by"
    " their own ARN, and so it is here."
)
_TAGGED = "The operation is about the tags of one kind of resource."
_TAGGING = ("lambda:ListTags", "lambda:TagResource")

DIFFERENCES = (
    Difference("resource function alias", True, _VERSIONS),
    Difference("resource function version", True, _VERSIONS),
    Difference(
        "resource function",
        True,
        "A request without a qualifier is about the function, and is refused later.",
        tuple(f"lambda:{verb}ProvisionedConcurrencyConfig" for verb in ("Delete", "Get", "Put")),
    ),
    Difference(
        "resource layer",
        True,
        "AWS's list has none; its refusals name the layer.",
        ("lambda:ListLayerVersions",),
    ),
    Difference("resource capacityProvider", False, "Capacity providers are not offered."),
    Difference("resource code signing config", False, _TAGGED, _TAGGING),
    Difference("resource eventSourceMapping", False, _TAGGED, _TAGGING),
    Difference("resource function", False, _TAGGED, ("lambda:TagResource",)),
    Difference("action lambda:PassCapacityProvider", False, "Capacity providers are not offered."),
    Difference(
        "action lambda:InvokeFunction",
        True,
        "InvokeAsync is another way to invoke: one denial holds for all of them.",
    ),
    Difference(
        "action lambda:InvokeAsync",
        False,
        "InvokeAsync is another way to invoke: one denial holds for all of them.",
    ),
    Difference("key lambda:VpcIds", False, "There is no VPC to which the subnets belong."),
    Difference(
        "key lambda:EventSourceToken",
        False,
        "Hooks for Alexa have it; these operations never are.",
    ),
    Difference(
        "key lambda:InvokedViaFunctionUrl",
        False,
        "Calls through function URLs have it; these operations never are.",
    ),
    Difference(
        "key lambda:FunctionUrlAuthType",
        False,
        "A function may have several URLs.",
        ("lambda:ListFunctionUrlConfigs",),
    ),
)

RESOURCE_NAMES = (
    ("function", "`arn:aws:lambda:REGION:ACCOUNT:function:NAME`"),
    ("function alias, function version", "the same and `:ALIAS` or `:VERSION`"),
    ("layer, layerVersion", "`arn:aws:lambda:REGION:ACCOUNT:layer:NAME`, and `:VERSION`"),
    ("eventSourceMapping", "`arn:aws:lambda:REGION:ACCOUNT:event-source-mapping:UUID`"),
    ("code signing config", "`arn:aws:lambda:REGION:ACCOUNT:code-signing-config:ID`"),
)
