package com.amazonaws.services.lambda.runtime;

/** What the runtime and AWS's adapter of Log4j tell each other. */
public final class LambdaRuntimeInternal {
    private static volatile boolean useLog4jAppender;

    private LambdaRuntimeInternal() {}

    /** Whether the request's id is to be put into Log4j's context. */
    public static void setUseLog4jAppender(boolean use) {
        useLog4jAppender = use;
    }

    public static boolean getUseLog4jAppender() {
        return useLog4jAppender;
    }

    /** The logger that `LambdaRuntime` gives to everyone. */
    public static void setLogger(LambdaLogger logger) {
        LambdaRuntime.setLogger(logger);
    }
}
