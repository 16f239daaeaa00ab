package com.amazonaws.services.lambda.runtime;

/** The interface between the runtime and AWS's adapter of Log4j. */
public final class LambdaRuntimeInternal {
    private static volatile boolean useLog4jAppender;

    private LambdaRuntimeInternal() {}

    /** Whether to add the request ID to Log4j's context. */
    public static void setUseLog4jAppender(boolean use) {
        useLog4jAppender = use;
    }

    public static boolean getUseLog4jAppender() {
        return useLog4jAppender;
    }

    /** The logger that `LambdaRuntime` returns. */
    public static void setLogger(LambdaLogger logger) {
        LambdaRuntime.setLogger(logger);
    }
}
