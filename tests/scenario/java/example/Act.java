package example;

import com.amazonaws.services.lambda.runtime.Context;
import com.amazonaws.services.lambda.runtime.LambdaLogger;
import com.amazonaws.services.lambda.runtime.LambdaRuntime;
import com.amazonaws.services.lambda.runtime.RequestHandler;
import com.amazonaws.services.lambda.runtime.logging.LogLevel;
import java.io.OutputStream;
import java.net.HttpURLConnection;
import java.net.URL;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/** Does what its event says. */
public class Act implements RequestHandler<Act.Event, Object> {
    /** Kept by the class, so that nothing of it is freed. */
    private static final List<Object> HELD = new ArrayList<>();

    private int count;

    public static class Event {
        private String what;

        public void setWhat(String what) {
            this.what = what;
        }
    }

    @Override
    public Object handleRequest(Event event, Context context) {
        if (event.what.equals("raise")) {
            return fail();
        }
        try {
            return act(event.what, context.getLogger());
        } catch (RuntimeException error) {
            throw error;
        } catch (Exception error) {
            return Act.<RuntimeException>sneak(error);
        }
    }

    private Object act(String what, LambdaLogger logger) throws Exception {
        switch (what) {
            case "exit":
                System.exit(3);
                return null;
            case "hang":
                Thread.sleep(100_000);
                return null;
            case "eat":
                while (true) {
                    HELD.add(new byte[8 << 20]);
                }
            case "deep":
                return act(what, logger);
            case "large":
                return "x".repeat(10 << 20);
            case "heap":
                return Runtime.getRuntime().maxMemory() >> 20;
            case "print":
                System.out.println("printed: ü");
                System.err.println("to stderr");
                return null;
            case "log":
                log(logger);
                log(LambdaRuntime.getLogger());
                return null;
            case "long":
                logger.log("y".repeat(5 << 20));
                return null;
            case "overflow":
                throw new IllegalStateException("x".repeat(7 << 20));
            case "count":
                return ++count;
            case "shadow":
                return Files.readString(Path.of("/etc/shadow"));
            case "write":
                return Files.writeString(Path.of("/var/task/x"), "x").toString();
            case "forge":
                return forge();
            case "spawn":
                Process process = new ProcessBuilder("sh", "-c", "id -u; ls /proc/self/fd").start();
                return new String(process.getInputStream().readAllBytes());
            case "threads":
                return threads();
            default:
                return null;
        }
    }

    private static void log(LambdaLogger logger) {
        logger.log("plain ü");
        logger.log("debug", LogLevel.DEBUG);
        logger.log("one\ntwo\n", LogLevel.ERROR);
        logger.log((String) null);
        logger.log((byte[]) null, LogLevel.WARN);
        logger.log("{\"message\":\"own\",\"level\":\"WARN\"}".getBytes(StandardCharsets.UTF_8), LogLevel.WARN);
        logger.log("traced", LogLevel.TRACE);
    }

    private static Object fail() {
        try {
            return Integer.parseInt("no number");
        } catch (NumberFormatException error) {
            throw new IllegalStateException("on purpose: ü", error);
        }
    }

    private int forge() throws Exception {
        URL url = new URL("http://127.0.0.1:9001/2018-06-01/runtime/invocation/none/response");
        HttpURLConnection connection = (HttpURLConnection) url.openConnection();
        connection.setDoOutput(true);
        try (OutputStream body = connection.getOutputStream()) {
            body.write("\"forged\"".getBytes());
        }
        return connection.getResponseCode();
    }

    private int threads() {
        int made = 0;
        try {
            for (; made < 3000; made++) {
                Thread thread = new Thread(null, () -> {
                    try {
                        Thread.sleep(100_000);
                    } catch (InterruptedException error) {
                        Thread.currentThread().interrupt();
                    }
                }, "one", 64 << 10);
                thread.setDaemon(true);
                thread.start();
            }
        } catch (OutOfMemoryError error) {
            return made;
        }
        return made;
    }

    @SuppressWarnings("unchecked")
    private static <E extends Exception> Object sneak(Exception error) throws E {
        throw (E) error;
    }
}
