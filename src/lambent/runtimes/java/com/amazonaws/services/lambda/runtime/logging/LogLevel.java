package com.amazonaws.services.lambda.runtime.logging;

/** How important a log event is; least first. */
public enum LogLevel {
    UNDEFINED,
    TRACE,
    DEBUG,
    INFO,
    WARN,
    ERROR,
    FATAL;

    public static LogLevel fromString(String name) {
        try {
            return valueOf(name.toUpperCase());
        } catch (RuntimeException error) {
            throw new IllegalArgumentException("Invalid log level: '" + name + "'");
        }
    }
}
