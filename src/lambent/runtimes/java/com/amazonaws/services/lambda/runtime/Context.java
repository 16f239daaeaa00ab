package com.amazonaws.services.lambda.runtime;

/** The information about an invocation that a handler receives with its event. */
public interface Context {
    String getAwsRequestId();

    String getLogGroupName();

    String getLogStreamName();

    String getFunctionName();

    String getFunctionVersion();

    String getInvokedFunctionArn();

    /** Null unless Amazon Cognito knows the caller. */
    CognitoIdentity getIdentity();

    /** Null unless the caller passed one. */
    ClientContext getClientContext();

    int getRemainingTimeInMillis();

    int getMemoryLimitInMB();

    LambdaLogger getLogger();

    /** Null unless the function has tenant isolation. */
    default String getTenantId() {
        return null;
    }

    /** Null if the invocation is not traced. */
    default String getXrayTraceId() {
        return null;
    }
}
