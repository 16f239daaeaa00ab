package lambent.runtime;

import com.amazonaws.services.lambda.runtime.LambdaLogger;
import com.amazonaws.services.lambda.runtime.logging.LogLevel;
import java.nio.charset.StandardCharsets;
import java.time.Instant;
import java.time.temporal.ChronoUnit;
import java.util.LinkedHashMap;
import java.util.Map;

/** The function's log: every call writes one event, however many lines it has. */
final class Logger implements LambdaLogger {
    private final boolean isJson = "JSON".equalsIgnoreCase(System.getenv("AWS_LAMBDA_LOG_FORMAT"));
    private final LogLevel lowest = lowest(System.getenv("AWS_LAMBDA_LOG_LEVEL"));
    private final LogSink sink = LogSink.open();
    private volatile InvocationContext context;

    /** From now on events belong to this invocation. */
    void setContext(InvocationContext current) {
        context = current;
    }

    @Override
    public void log(String message) {
        log(message, LogLevel.UNDEFINED);
    }

    @Override
    public void log(byte[] message) {
        log(message, LogLevel.UNDEFINED);
    }

    /** Bytes are written unchanged: appenders of logging libraries create JSON themselves. */
    @Override
    public void log(byte[] message, LogLevel level) {
        if (isShown(level)) {
            write(message == null ? bytes("null") : message, level);
        }
    }

    @Override
    public void log(String message, LogLevel level) {
        if (isShown(level)) {
            write(bytes(isJson ? json(message, level) : text(message, level)), level);
        }
    }

    void logError(Throwable error) {
        log(Errors.text(error).trim() + "\n", isJson ? LogLevel.ERROR : LogLevel.UNDEFINED);
    }

    private boolean isShown(LogLevel level) {
        return level == LogLevel.UNDEFINED || level.compareTo(lowest) >= 0;
    }

    private void write(byte[] message, LogLevel level) {
        sink.write(message, level, isJson);
    }

    private static String text(String message, LogLevel level) {
        return level == LogLevel.UNDEFINED ? String.valueOf(message) : "[" + level.name() + "] " + message;
    }

    private String json(String message, LogLevel level) {
        Map<String, Object> record = new LinkedHashMap<>();
        record.put("timestamp", Instant.now().truncatedTo(ChronoUnit.MILLIS).toString());
        record.put("message", message);
        if (level != LogLevel.UNDEFINED) {
            record.put("level", level.name());
        }
        InvocationContext current = context;
        if (current != null) {
            record.put("AWSRequestId", current.getAwsRequestId());
            record.put("tenantId", current.getTenantId());
        }
        return new String(JsonWriter.write(record), StandardCharsets.UTF_8);
    }

    private static byte[] bytes(String text) {
        return text.getBytes(StandardCharsets.UTF_8);
    }

    private static LogLevel lowest(String name) {
        try {
            return LogLevel.fromString(name);
        } catch (IllegalArgumentException error) {
            return LogLevel.UNDEFINED;
        }
    }
}
