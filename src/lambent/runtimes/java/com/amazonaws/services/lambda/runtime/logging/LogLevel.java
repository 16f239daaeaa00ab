package com.amazonaws.services.lambda.runtime.logging;

/** The severity of a log event; lowest first. */
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
