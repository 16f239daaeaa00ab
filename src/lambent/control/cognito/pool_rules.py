"""What a pool's document has, and what a pool may not have here."""

from collections.abc import Mapping
from typing import Any

from lambent.control.cognito.errors import invalid, not_offered
from lambent.control.cognito.factors import offered
from lambent.control.cognito.passwords import DEFAULT_POLICY
from lambent.control.cognito.schema import EMAIL
from lambent.control.cognito.senders import check_senders
from lambent.model.arn import Arn

Params = Mapping[str, Any]
TRIGGERS = (
    *("PreSignUp", "CustomMessage", "PostConfirmation", "PreAuthentication", "PostAuthentication"),
    *("DefineAuthChallenge", "CreateAuthChallenge", "VerifyAuthChallengeResponse"),
    *("PreTokenGeneration", "UserMigration"),
)
KEPT = (
    *("Policies", "DeletionProtection", "LambdaConfig", "AutoVerifiedAttributes"),
    *("SmsVerificationMessage", "EmailVerificationMessage", "EmailVerificationSubject"),
    *("VerificationMessageTemplate", "SmsAuthenticationMessage", "MfaConfiguration"),
    *("UserAttributeUpdateSettings", "DeviceConfiguration", "EmailConfiguration"),
    *("SmsConfiguration", "AdminCreateUserConfig", "UserPoolAddOns", "AccountRecoverySetting"),
    "UserPoolTier",
)
"""Members of requests that are stored as they are, and that UpdateUserPool replaces."""
FIXED = ("AliasAttributes", "UsernameAttributes", "UsernameConfiguration")
"""Members that only CreateUserPool has."""
_TEXTS = ("SmsVerificationMessage", "EmailVerificationMessage", "EmailVerificationSubject")
_TEMPLATE = ("SmsMessage", "EmailMessage", "EmailSubject")
REFUSED = (*("DcrConfiguration", "KeyConfiguration", "IssuerConfiguration", "AcrConfiguration"),)


def body_of(params: Params) -> dict[str, Any]:
    """The members that a request sets, with the defaults for the others. Raises `ApiError`."""
    check_offered(params)
    body = {name: params[name] for name in KEPT if name in params}
    policies = {**body.get("Policies", {})}
    given = policies.get("PasswordPolicy")
    if given is None:
        policies["PasswordPolicy"] = dict(DEFAULT_POLICY)
    else:
        off = {name: False for name in DEFAULT_POLICY if name.startswith("Require")}
        usual = {"MinimumLength": 8, "TemporaryPasswordValidityDays": 7}
        policies["PasswordPolicy"] = {**off, **usual, **given}
    policies.setdefault("SignInPolicy", {"AllowedFirstAuthFactors": ["PASSWORD"]})
    body["Policies"] = policies
    body.setdefault("DeletionProtection", "INACTIVE")
    body.setdefault("LambdaConfig", {})
    body.setdefault("MfaConfiguration", "OFF")
    body.setdefault("EmailConfiguration", {"EmailSendingAccount": "COGNITO_DEFAULT"})
    admin = {"AllowAdminCreateUserOnly": False, "UnusedAccountValidityDays": 7}
    body["AdminCreateUserConfig"] = {**admin, **body.get("AdminCreateUserConfig", {})}
    template = {"DefaultEmailOption": "CONFIRM_WITH_CODE"}
    template |= body.get("VerificationMessageTemplate", {})
    # Both forms of the texts show the same.
    for plain, name in zip(_TEXTS, _TEMPLATE, strict=True):
        if plain in body:
            template.setdefault(name, body[plain])
        elif name in template:
            body[plain] = template[name]
    body["VerificationMessageTemplate"] = template
    body["LambdaConfig"] = triggers_of(body["LambdaConfig"])
    _check_recovery(body)
    return body


def check_offered(params: Params) -> None:
    """Raise `InvalidParameterException` for what the platform does not do."""
    for name in REFUSED:
        if params.get(name):
            raise not_offered(f"{name} of user pools")
    addons = params.get("UserPoolAddOns") or {}
    if addons.get("AdvancedSecurityMode", "OFF") != "OFF":
        raise not_offered("threat protection: AdvancedSecurityMode must be OFF")
    policies = params.get("Policies") or {}
    factors = (policies.get("SignInPolicy") or {}).get("AllowedFirstAuthFactors") or ["PASSWORD"]
    if factors != ["PASSWORD"]:
        raise not_offered("first factors other than PASSWORD")
    if (policies.get("PasswordPolicy") or {}).get("PasswordHistorySize"):
        raise not_offered("a history of passwords: PasswordHistorySize must be 0")
    template = params.get("VerificationMessageTemplate") or {}
    if template.get("DefaultEmailOption") == "CONFIRM_WITH_LINK":
        raise not_offered("links in messages, which need the hosted UI: use CONFIRM_WITH_CODE")
    if params.get("DeviceConfiguration"):
        raise not_offered("remembered devices")


def factors_of(body: Params) -> dict[str, Any]:
    """What turning on a second factor adds to a pool's document: text messages, unless it offers a
    factor already. Raises `InvalidParameterException`."""
    if offered(body):
        return {}
    if not body.get("SmsConfiguration"):
        raise invalid(
            "SMS configuration and Auto verification for phone_number are required when MFA is"
            " required/optional. SetUserPoolMfaConfig turns on other second factors."
        )
    return {"sms_factor": {"SmsConfiguration": body["SmsConfiguration"]}}


def check_fixed(params: Params) -> None:
    """Raise `InvalidParameterException` for user names that cannot be."""
    if params.get("AliasAttributes") and params.get("UsernameAttributes"):
        raise invalid(
            "Only one of the aliasAttributes or usernameAttributes can be set in a user pool."
        )


def triggers_of(config: Params) -> dict[str, Any]:
    """The functions of a pool. The function for tokens shows in both of its members. Raises
    `InvalidParameterException`."""
    if config.get("InboundFederation"):
        raise not_offered("InboundFederation")
    made = {name: value for name, value in config.items() if value}
    tokens = made.get("PreTokenGenerationConfig")
    if tokens is not None:
        if made.get("PreTokenGeneration", tokens["LambdaArn"]) != tokens["LambdaArn"]:
            raise invalid(
                "PreTokenGeneration and PreTokenGenerationConfig must have the same function."
            )
        made["PreTokenGeneration"] = tokens["LambdaArn"]
    elif "PreTokenGeneration" in made:
        arn = made["PreTokenGeneration"]
        made["PreTokenGenerationConfig"] = {"LambdaVersion": "V1_0", "LambdaArn": arn}
    for name in TRIGGERS:
        arn = Arn.try_parse(made[name]) if name in made else None
        if name in made and (arn is None or arn.service != "lambda"):
            raise invalid(f"{made[name]} is not the ARN of a function.")
    check_senders(made)
    return made


def _check_recovery(body: Params) -> None:
    mechanisms = (body.get("AccountRecoverySetting") or {}).get("RecoveryMechanisms") or ()
    names = [each["Name"] for each in mechanisms]
    if "admin_only" in names and len(names) > 1:
        raise invalid("Recovery mechanism admin_only cannot be used together with others.")
    if len({each["Priority"] for each in mechanisms}) != len(mechanisms):
        raise invalid("Recovery mechanisms must have different priorities.")


def recovery_attributes(body: Params) -> list[str]:
    """The attributes that codes for a new password are sent to, the first choice first."""
    mechanisms = (body.get("AccountRecoverySetting") or {}).get("RecoveryMechanisms")
    if mechanisms is None:
        # As before the setting existed.
        return ["phone_number", EMAIL]
    names = {"verified_email": EMAIL, "verified_phone_number": "phone_number"}
    ordered = sorted(mechanisms, key=lambda each: each["Priority"])
    return [names[each["Name"]] for each in ordered if each["Name"] in names]
