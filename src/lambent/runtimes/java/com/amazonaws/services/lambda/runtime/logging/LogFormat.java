package com.amazonaws.services.lambda.runtime.logging;

/** What the events of a function's log look like. */
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
