package lambent.runtime;

import java.io.BufferedInputStream;
import java.io.EOFException;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.net.Socket;
import java.nio.charset.StandardCharsets;
import java.util.HashMap;
import java.util.Locale;
import java.util.Map;

/**
 * Client of the Lambda Runtime API: one persistent connection, one request at a time. A connection
 * that the other side is about to close, as after a body that is too large, is replaced.
 */
final class RuntimeApi {
    private static final String ROOT = "/2018-06-01/runtime";
    private static final String USER_AGENT = "aws-lambda-java/" + System.getProperty("java.version");
    private static final int OK = 200, ACCEPTED = 202, TOO_LARGE = 413;

    private final String address;
    private Socket socket;
    private InputStream input;
    private OutputStream output;

    /** An event as received; header names are in lower case. */
    static final class Event {
        final byte[] body;
        private final Map<String, String> headers;

        Event(Map<String, String> headers, byte[] body) {
            this.headers = headers;
            this.body = body;
        }

        /** Null if it is missing. */
        String header(String name) {
            return headers.get(name);
        }

        String requestId() {
            return header("lambda-runtime-aws-request-id");
        }
    }

    RuntimeApi(String address) throws IOException {
        this.address = address;
        connect();
    }

    private void connect() throws IOException {
        int colon = address.lastIndexOf(':');
        socket = new Socket(address.substring(0, colon), Integer.parseInt(address.substring(colon + 1)));
        socket.setTcpNoDelay(true);
        input = new BufferedInputStream(socket.getInputStream());
        output = socket.getOutputStream();
    }

    /** Waits for an event. */
    Event next() throws IOException {
        return request("GET", "/invocation/next", "", null);
    }

    void respond(Event event, byte[] result) throws IOException {
        request("POST", path(event) + "/response", attempt(event), result);
    }

    /** Reports a failed invocation. */
    void fail(Event event, Map<String, Object> document) throws IOException {
        report(path(event) + "/error", attempt(event), document);
    }

    /** Reports that the function could not be loaded. */
    void failInit(Map<String, Object> document) throws IOException {
        report("/init/error", "", document);
    }

    private void report(String where, String headers, Map<String, Object> document) throws IOException {
        String type = String.valueOf(document.get("errorType")).replaceAll("[^\\x20-\\x7e]", "?");
        request("POST", where, headers + "Lambda-Runtime-Function-Error-Type: " + type + "\r\n",
                JsonWriter.write(document));
    }

    private static String path(Event event) {
        return "/invocation/" + event.requestId();
    }

    private static String attempt(Event event) {
        String id = event.header("lambda-runtime-invocation-id");
        return id == null ? "" : "Lambda-Runtime-Invocation-Id: " + id + "\r\n";
    }

    private Event request(String method, String where, String headers, byte[] body) throws IOException {
        StringBuilder head = new StringBuilder();
        head.append(method).append(' ').append(ROOT).append(where).append(" HTTP/1.1\r\nHost: ").append(address)
                .append("\r\nUser-Agent: ").append(USER_AGENT).append("\r\n").append(headers);
        if (body != null) {
            head.append("Content-Type: application/json\r\nContent-Length: ").append(body.length).append("\r\n");
        }
        output.write(head.append("\r\n").toString().getBytes(StandardCharsets.UTF_8));
        if (body != null) {
            output.write(body);
        }
        int status = Integer.parseInt(line().split(" ")[1]);
        Event answer = answer();
        if ("close".equalsIgnoreCase(answer.header("connection"))) {
            socket.close();
            connect();
        }
        // The platform has already reported a response that is too large to the caller.
        if (status != OK && status != ACCEPTED && status != TOO_LARGE) {
            throw new IOException(method + " " + where + " was answered " + status + ": "
                    + new String(answer.body, StandardCharsets.UTF_8));
        }
        return answer;
    }

    private Event answer() throws IOException {
        Map<String, String> headers = new HashMap<>();
        for (String header = line(); !header.isEmpty(); header = line()) {
            int colon = header.indexOf(':');
            headers.put(header.substring(0, colon).toLowerCase(Locale.ROOT), header.substring(colon + 1).trim());
        }
        byte[] body = new byte[Integer.parseInt(headers.getOrDefault("content-length", "0"))];
        for (int at = 0; at < body.length; ) {
            int count = input.read(body, at, body.length - at);
            if (count < 0) {
                throw new EOFException("the Runtime API closed the connection");
            }
            at += count;
        }
        return new Event(headers, body);
    }

    private String line() throws IOException {
        byte[] bytes = new byte[256];
        int length = 0;
        for (int read = input.read(); read != '\n'; read = input.read()) {
            if (read < 0) {
                throw new EOFException("the Runtime API closed the connection");
            }
            if (length == bytes.length) {
                bytes = java.util.Arrays.copyOf(bytes, 2 * length);
            }
            bytes[length++] = (byte) read;
        }
        return new String(bytes, 0, length, StandardCharsets.UTF_8).trim();
    }
}
