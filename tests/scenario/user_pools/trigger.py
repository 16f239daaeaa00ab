"""The function that is every trigger of a pool here. It prints each event."""

import json


def handler(event, context):
    if "triggerSource" not in event:
        return None
    print("GOT " + json.dumps(event))
    source, request, response = event["triggerSource"], event["request"], event["response"]
    name = event["userName"]
    if source == "PreSignUp_SignUp":
        if name == "refused":
            raise ValueError("no refused users here")
        if name.startswith("auto"):
            response["autoConfirmUser"] = response["autoVerifyEmail"] = True
    elif source.startswith("CustomMessage_"):
        kind = source.removeprefix("CustomMessage_")
        response["emailSubject"] = f"{kind} for {name}"
        who = request["usernameParameter"] or ""
        response["emailMessage"] = f"<b>{kind}</b> {who} {request['codeParameter']}"
    elif source == "PreAuthentication_Authentication":
        if (request.get("validationData") or {}).get("from") == "nowhere":
            raise ValueError("not from there")
    elif source.startswith("TokenGeneration_"):
        made = {"claimsToAddOrOverride": {"source": source}, "claimsToSuppress": ["email"]}
        if event["version"] == "1":
            response["claimsOverrideDetails"] = made
        else:
            response["claimsAndScopeOverrideDetails"] = {
                "idTokenGeneration": made,
                "accessTokenGeneration": {
                    "claimsToAddOrOverride": {"level": 3},
                    "scopesToAdd": ["shop/read"],
                },
                "groupOverrideDetails": {"groupsToOverride": ["chosen"]},
            }
    elif source == "DefineAuthChallenge_Authentication":
        answers = request["session"]
        response["issueTokens"] = bool(answers) and answers[-1]["challengeResult"]
        response["failAuthentication"] = len(answers) > 2
        response["challengeName"] = "CUSTOM_CHALLENGE"
    elif source == "CreateAuthChallenge_Authentication":
        response["publicChallengeParameters"] = {"question": "3 + 4"}
        response["privateChallengeParameters"] = {"answer": "7"}
        response["challengeMetadata"] = "SUM"
    elif source == "VerifyAuthChallengeResponse_Authentication":
        wanted = request["privateChallengeParameters"]["answer"]
        response["answerCorrect"] = request["challengeAnswer"] == wanted
    elif source.startswith("UserMigration_"):
        if not name.startswith("old") or request["password"] not in (None, "0ldPassw0rd!"):
            raise ValueError("unknown")
        response["userAttributes"] = {"email": f"{name}@example.com", "email_verified": "true"}
        response["finalUserStatus"] = "CONFIRMED"
        response["messageAction"] = "SUPPRESS"
    return event
