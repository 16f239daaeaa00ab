package com.amazonaws.services.lambda.runtime;

import java.io.IOException;

/** The function's logger for code that has no context, such as adapters of logging libraries. */
public final class LambdaRuntime {
    /** Outside of a function, as in tests of its code: standard output. */
    private static volatile LambdaLogger logger = new LambdaLogger() {
        @Override
        public void log(String message) {
            System.out.print(message);
        }

        @Override
        public void log(byte[] message) {
            try {
                System.out.write(message);
            } catch (IOException error) {
                throw new IllegalStateException(error);
            }
        }
    };

    private LambdaRuntime() {}

    public static LambdaLogger getLogger() {
        return logger;
    }

    static void setLogger(LambdaLogger own) {
        logger = own;
    }
}
