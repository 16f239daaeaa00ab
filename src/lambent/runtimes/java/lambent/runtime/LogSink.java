package lambent.runtime;

import com.amazonaws.services.lambda.runtime.logging.LogLevel;
import java.io.FileOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.ByteBuffer;

/**
 * Log events go to the framed log pipe, which keeps an event of several lines whole. A frame is
 * type, length, time in microseconds and the message. Without a pipe events go to standard output.
 */
final class LogSink {
    private static final String DESCRIPTOR = "_LAMBDA_TELEMETRY_LOG_FD";
    private static final int FRAME_TYPE = 0xA55A0000;
    private static final int JSON = 2;
    private static final int TEXT = 3;
    private static final int HEADER_BYTES = 16;
    /** The platform accepts no longer frame; it splits longer events. */
    private static final int MESSAGE_MAX = 4 << 20;

    private final OutputStream pipe;

    private LogSink(OutputStream pipe) {
        this.pipe = pipe;
    }

    static LogSink open() {
        String number = System.getenv(DESCRIPTOR);
        try {
            // By its name: Java has no public way to use a descriptor that is already open.
            return new LogSink(number == null ? null : new FileOutputStream("/proc/self/fd/" + number));
        } catch (IOException error) {
            return new LogSink(null);
        }
    }

    synchronized void write(byte[] message, LogLevel level, boolean isJson) {
        try {
            if (pipe == null) {
                System.out.write(message);
                System.out.flush();
            } else {
                int at = 0;
                do {
                    int length = Math.min(message.length - at, MESSAGE_MAX);
                    pipe.write(frame(message, at, length, level, isJson));
                    at += length;
                } while (at < message.length);
            }
        } catch (IOException error) {
            throw new IllegalStateException("cannot write to the log", error);
        }
    }

    /** In one array, so that it is sent with one write. */
    private static byte[] frame(byte[] message, int at, int length, LogLevel level, boolean isJson) {
        return ByteBuffer.allocate(HEADER_BYTES + length)
                .putInt(FRAME_TYPE | level.ordinal() << 2 | (isJson ? JSON : TEXT))
                .putInt(length)
                .putLong(System.currentTimeMillis() * 1000)
                .put(message, at, length)
                .array();
    }
}
