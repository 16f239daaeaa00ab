package lambent.runtime;

import com.amazonaws.services.lambda.runtime.LambdaLogger;
import com.amazonaws.services.lambda.runtime.logging.LogLevel;
import java.nio.charset.StandardCharsets;
import java.time.Instant;
import java.time.temporal.ChronoUnit;
import java.util.LinkedHashMap;
import java.util.Map;

/** The function's log, which is its standard output. */
final class Logger implements LambdaLogger {
    private final boolean isJson = "JSON".equalsIgnoreCase(System.getenv("AWS_LAMBDA_LOG_FORMAT"));
    private final LogLevel lowest = lowest(System.getenv("AWS_LAMBDA_LOG_LEVEL"));
    private volatile String requestId;

    void setRequestId(String id) {
        requestId = id;
    }

    @Override
    public void log(String message) {
        log(message, LogLevel.UNDEFINED);
    }

    @Override
    public void log(byte[] message) {
        log(message, LogLevel.UNDEFINED);
    }

    @Override
    public void log(byte[] message, LogLevel level) {
        log(message == null ? null : new String(message, StandardCharsets.UTF_8), level);
    }

    @Override
    public void log(String message, LogLevel level) {
        if (level != LogLevel.UNDEFINED && level.compareTo(lowest) < 0) {
            return;
        }
        System.out.print(isJson ? json(message, level) : message);
    }

    void logError(Throwable error) {
        String text = Errors.text(error);
        // Carriage returns keep it one log event.
        System.out.print(isJson ? json(text, LogLevel.ERROR) : text.trim().replaceAll("\r?\n", "\r") + "\n");
    }

    private String json(String message, LogLevel level) {
        Map<String, Object> record = new LinkedHashMap<>();
        record.put("timestamp", Instant.now().truncatedTo(ChronoUnit.MILLIS).toString());
        record.put("message", message);
        if (level != LogLevel.UNDEFINED) {
            record.put("level", level.name());
        }
        if (requestId != null) {
            record.put("AWSRequestId", requestId);
        }
        return new String(JsonWriter.write(record), StandardCharsets.UTF_8) + "\n";
    }

    private static LogLevel lowest(String name) {
        try {
            return LogLevel.fromString(name);
        } catch (IllegalArgumentException error) {
            return LogLevel.UNDEFINED;
        }
    }
}
