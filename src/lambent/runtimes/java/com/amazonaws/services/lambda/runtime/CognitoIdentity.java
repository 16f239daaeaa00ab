package com.amazonaws.services.lambda.runtime;

/** The caller's identity in Amazon Cognito. */
public interface CognitoIdentity {
    String getIdentityId();

    String getIdentityPoolId();
}
