package lambent.runtime;

import java.io.PrintWriter;
import java.io.StringWriter;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** Throwables in the form of the Runtime API and the log. */
final class Errors {
    private static final int CAUSES_MAX = 20;

    private Errors() {}

    /** The error that the caller of the function receives. */
    static Map<String, Object> document(Throwable error) {
        return document(error, CAUSES_MAX);
    }

    private static Map<String, Object> document(Throwable error, int causes) {
        Map<String, Object> document = new LinkedHashMap<>();
        document.put("errorMessage", error.getMessage());
        document.put("errorType", type(error));
        document.values().removeIf(value -> value == null);
        Throwable cause = error.getCause();
        if (error instanceof Fault && cause == null) {
            return document;
        }
        List<String> frames = new ArrayList<>();
        for (StackTraceElement frame : ownFrames(error)) {
            frames.add(frame.toString());
        }
        document.put("stackTrace", frames);
        if (cause != null && causes > 0) {
            document.put("cause", document(cause, causes - 1));
        }
        return document;
    }

    static String text(Throwable error) {
        if (error instanceof Fault && error.getCause() == null) {
            return error.toString();
        }
        StringWriter text = new StringWriter();
        text.write(error.getMessage() + ": " + type(error) + "\n");
        Throwable one = error;
        for (int causes = 0; one != null && causes < CAUSES_MAX; causes++, one = one.getCause()) {
            one.setStackTrace(ownFrames(one));
        }
        error.printStackTrace(new PrintWriter(text, true));
        return text.toString();
    }

    /** Whether the JVM cannot continue after this error. */
    static boolean isFatal(Throwable error) {
        return error instanceof VirtualMachineError && !(error instanceof StackOverflowError);
    }

    private static String type(Throwable error) {
        return error instanceof Fault ? ((Fault) error).type : error.getClass().getName();
    }

    /** Without the outermost frames, which belong to this runtime and to reflection. */
    private static StackTraceElement[] ownFrames(Throwable error) {
        StackTraceElement[] frames = error.getStackTrace();
        int length = 0;
        while (length < frames.length && !frames[length].getClassName().startsWith("lambent.runtime.")) {
            length++;
        }
        while (length < frames.length && length > 0 && isReflection(frames[length - 1].getClassName())) {
            length--;
        }
        return java.util.Arrays.copyOf(frames, length);
    }

    private static boolean isReflection(String name) {
        return name.startsWith("java.lang.reflect.") || name.startsWith("jdk.internal.reflect.")
                || name.startsWith("sun.reflect.") || name.startsWith("java.lang.invoke.");
    }
}
