package com.amazonaws.services.lambda.runtime;

/** What a handler is told about the invocation besides its event. */
public interface Context {
    String getAwsRequestId();

    String getLogGroupName();

    String getLogStreamName();

    String getFunctionName();

    String getFunctionVersion();

    String getInvokedFunctionArn();

    /** Null unless the caller is known to Amazon Cognito. */
    CognitoIdentity getIdentity();

    /** Null unless the caller gave one. */
    ClientContext getClientContext();

    int getRemainingTimeInMillis();

    int getMemoryLimitInMB();

    LambdaLogger getLogger();

    /** Null unless the function keeps tenants apart. */
    default String getTenantId() {
        return null;
    }

    /** Null if the invocation is not traced. */
    default String getXrayTraceId() {
        return null;
    }
}
