package com.amazonaws.services.lambda.runtime.logging;

/** The format of the events in a function's log. */
public enum LogFormat {
    JSON,
    TEXT;

    public static LogFormat fromString(String name) {
        try {
            return valueOf(name.toUpperCase());
        } catch (RuntimeException error) {
            throw new IllegalArgumentException("Invalid log format: '" + name + "'");
        }
    }
}
